//! `waystation tokens`: who may use a server.

use std::time::Duration;

use clap::Subcommand;
use serde_json::json;
use waystation::server::Code;
use waystation::server::access::{NewToken, Role, Token};

use super::exit::{Error, Outcome};
use super::session::Global;
use super::site::{Query, Site};
use super::table::Table;
use super::{out, timing};

/// What to do with tokens.
#[derive(Subcommand)]
pub enum Verb {
    /// Make a token, and show it this one time. From the first one on, servers ask for one.
    Add {
        /// Whose it is
        name: String,
        /// What it is good for: viewer looks, operator acts, admin decides
        #[arg(long, default_value = "operator", value_parser = parse_role)]
        role: Role,
        /// It ends after so many days [default: never]
        #[arg(long, value_name = "N")]
        days: Option<u32>,
    },
    /// List the tokens, without their secrets.
    List,
    /// Take a token back, and end the sessions that began with it.
    Remove {
        /// Whose it was
        name: String,
    },
}

fn parse_role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| {
        let known = Role::ALL.map(Role::as_str).join(", ");
        format!("no role (known: {known})")
    })
}

/// Does it.
pub async fn run(verb: Verb, global: &Global) -> Result<Outcome, Error> {
    let site = global.site_to_make().await?;
    match verb {
        Verb::Add { name, role, days } => {
            let day = |days| Duration::from_hours(24 * u64::from(days));
            let expires_at = days.map(|days| timing::now().plus(day(days)).to_string());
            let wanted = json!({ "name": name, "role": role, "expires_at": expires_at });
            let made = site.post(&["tokens"], &wanted).await.map_err(|refusal| {
                let is_taken = refusal.code() == Some(Code::Conflict);
                if is_taken { Error::usage(refusal.to_string()) } else { refusal.into() }
            })?;
            show(&made, global);
            Ok(Outcome::Done)
        }
        Verb::List => list(&site, global).await,
        Verb::Remove { name } => {
            site.delete(&["tokens", &name]).await.map_err(|refusal| match refusal.code() {
                Some(Code::NotFound) => {
                    Error::usage(format!("there is no token named {}", out::clean(&name)))
                }
                _ => refusal.into(),
            })?;
            Ok(Outcome::Done)
        }
    }
}

fn show(made: &NewToken, global: &Global) {
    if global.json {
        return out::json(made);
    }
    out::line(&made.secret);
    out::say("keep it: it is not shown again");
}

async fn list(site: &Site, global: &Global) -> Result<Outcome, Error> {
    let tokens: Vec<Token> = site.get(&["tokens"], &Query::default()).await?;
    if global.json {
        tokens.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    if tokens.is_empty() {
        out::say("no tokens: servers answer on this machine alone, whoever asks");
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(["name", "role", "made", "until"]);
    for token in &tokens {
        let until = token.expires_at.as_deref().unwrap_or("for ever");
        let (name, role) = (token.name.as_str(), token.role.as_str());
        table.row(vec![name.into(), role.into(), token.created_at.as_str().into(), until.into()]);
    }
    table.print();
    Ok(Outcome::Done)
}
