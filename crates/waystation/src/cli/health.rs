//! `waystation health`: asks a server whether things go on, for programs that watch containers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use serde_json::{Value, json};

use super::exit::{Error, Outcome};
use super::out;
use super::session::Global;
use super::site::{ServerUrl, There};

/// What `health` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// Ask only whether the server answers at all, not whether jobs get on
    #[arg(long)]
    live: bool,
    /// Ask only whether this part is well: `store`, or `queue/NAME`
    #[arg(long, value_name = "PART", conflicts_with = "live")]
    part: Option<String>,
}

/// Asks the server that is named, or the one that would listen here by these settings.
pub async fn run(arguments: &Arguments, global: &Global) -> Result<Outcome, Error> {
    let server = match global.server_url()? {
        Some(server) => server,
        None => ServerUrl::parse(&format!("http://{}", here(global.settings().listen)))?,
    };
    let there = There::new(server, global.settings().token.as_deref())?;
    let path = if arguments.live { "/health/live" } else { "/health" };
    let (mut is_well, told) = there.health(path).await?;
    let parts: Vec<&Value> = told["components"].as_array().into_iter().flatten().collect();
    if let Some(name) = &arguments.part {
        let part = parts.iter().find(|part| part["name"] == name.as_str());
        let part = part.ok_or_else(|| {
            let known: Vec<_> = parts.iter().filter_map(|part| part["name"].as_str()).collect();
            Error::usage(format!("there is no part `{name}` (there are: {})", known.join(", ")))
        })?;
        is_well = part["status"] != "unhealthy";
    }
    if global.json {
        out::json(&json!({ "ok": is_well, "told": told }));
    } else {
        out::line(if is_well { "healthy" } else { "unhealthy" });
        for part in parts.iter().filter(|part| part["status"] != "healthy") {
            let text = |key: &str| out::clean(part[key].as_str().unwrap_or_default());
            out::line(format_args!("{}: {}", text("name"), text("reason")));
        }
    }
    Ok(if is_well { Outcome::Done } else { Outcome::NotAll })
}

/// The address that reaches a server of this machine: one that listens everywhere is here, too.
fn here(listens: SocketAddr) -> SocketAddr {
    let host: IpAddr = match listens.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(host, listens.port())
}
