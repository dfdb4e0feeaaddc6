//! `waystation dp3 check`: whether what a DP3 application needs is on its broker.

use std::num::NonZeroU16;
use std::time::Duration;

use serde_json::json;
use waystation::backends::dp3::Topology;
use waystation::backends::dp3::topology::{CHECK_DELAYS, Error as Wrong};

use super::Target;
use crate::cli::exit::{Error, Outcome};
use crate::cli::out;
use crate::cli::session::Global;

/// What `check` is told.
#[derive(clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    target: Target,
    /// How many worker processes the application has
    #[arg(long, value_name = "N")]
    workers: NonZeroU16,
    /// Look again as DP3 does, after 1, 2, 5, 10 and 30 seconds, before giving up
    #[arg(long)]
    wait: bool,
}

/// Looks, and names what is not there.
pub async fn run(arguments: Arguments, global: &Global) -> Result<Outcome, Error> {
    let Arguments { target, workers, wait } = arguments;
    let broker = target.open(global).await?;
    let delays: &[Duration] = if wait { &CHECK_DELAYS } else { &[] };
    let app = target.app.as_str();
    let checked = Topology::new(&broker, target.app.clone()).check(workers, delays).await;
    let (missing, all) = match checked {
        Ok(()) => (Vec::new(), 0),
        Err(Wrong::NotDeclared { missing, wanted, .. }) => (missing, wanted),
        Err(Wrong::Broker(error)) => return Err(error.into()),
        Err(other) => return Err(Error::failed(other.to_string())),
    };
    if global.json {
        let names: Vec<_> = missing.iter().map(ToString::to_string).collect();
        out::json(&json!({ "app": app, "workers": workers, "missing": names }));
        return Ok(if missing.is_empty() { Outcome::Done } else { Outcome::NotAll });
    }
    if missing.is_empty() {
        out::line(format_args!("{app}: all is declared for {workers} workers"));
        return Ok(Outcome::Done);
    }
    let lines: Vec<_> = missing.iter().map(ToString::to_string).collect();
    let hint = global.command(&format!("dp3 declare {app} --workers {workers}"));
    let count = missing.len();
    let message =
        format!("{app}: {count} of {all} exchanges and queues are not declared (hint: `{hint}`)");
    Err(Error::failed(message).after_lines(&lines))
}
