//! `waystation audit`: who did what.

use waystation::core::job::PAGE_MAX;
use waystation::server::wire::AuditPage;

use super::exit::{Error, Outcome};
use super::session::Global;
use super::site::Query;
use super::table::{Cell, Table};
use super::{out, timing};

/// Which entries to list.
#[derive(clap::Args)]
pub struct Arguments {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=PAGE_MAX as u64))]
    limit: u64,
    /// Only older than this entry: the next page
    #[arg(long, value_name = "ID")]
    before: Option<String>,
}

/// Lists them.
pub async fn run(arguments: Arguments, global: &Global) -> Result<Outcome, Error> {
    let site = global.site().await?;
    let query = Query::limit(arguments.limit as usize).with("before", arguments.before);
    let AuditPage { entries, next } = site.get(&["audit"], &query).await?;
    if global.json {
        entries.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    if entries.is_empty() {
        out::say("nobody did anything that is written down");
        return Ok(Outcome::Done);
    }
    let mut table = Table::new(["when (UTC)", "who", "role", "did", "to", "outcome", ""]);
    for entry in &entries {
        let detail = if entry.detail.is_null() { String::new() } else { entry.detail.to_string() };
        table.row(vec![
            timing::moment(entry.at.0).into(),
            entry.by.as_str().into(),
            entry.role.as_deref().unwrap_or_default().into(),
            entry.action.as_str().into(),
            out::short(&entry.target, 60).into(),
            entry.outcome.as_str().into(),
            Cell::faint(out::short(&detail, 80)),
        ]);
    }
    table.print();
    if let Some(next) = next {
        out::say(format_args!("there may be more: add --before {next}"));
    }
    Ok(Outcome::Done)
}
