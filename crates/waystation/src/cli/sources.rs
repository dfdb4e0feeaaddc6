//! `waystation sources`: what finds new jobs, and where it stands.

use waystation::server::wire::Source;

use super::exit::{Error, Outcome};
use super::session::Global;
use super::site::Query;
use super::table::{Cell, Table};
use super::{out, words};

/// Lists them.
pub async fn run(global: &Global) -> Result<Outcome, Error> {
    let site = global.site().await?;
    let sources: Vec<Source> = site.get(&["sources"], &Query::default()).await?;
    if global.json {
        sources.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    if sources.is_empty() {
        out::say("no sources");
        return Ok(Outcome::Done);
    }
    let mut table =
        Table::new(["pipeline", "stage", "type", "every", "workers", "paused", "stands at"]);
    for source in &sources {
        let every = source.interval_seconds.map_or_else(|| "-".to_owned(), |s| format!("{s} s"));
        let stands = source.checkpoint.as_ref().map_or_else(String::new, ToString::to_string);
        table.row(vec![
            source.pipeline.as_str().into(),
            source.stage.as_str().into(),
            source.source_type.as_str().into(),
            every.into(),
            source.workers.len().to_string().into(),
            words::pauses(&source.pauses).into(),
            Cell::faint(out::short(&stands, 60)),
        ]);
    }
    table.print();
    Ok(Outcome::Done)
}
