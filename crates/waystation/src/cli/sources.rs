//! `waystation sources`: what finds new jobs, when it looks, and what it found.

use std::time::Duration;

use clap::Subcommand;
use serde_json::Value;
use waystation::core::clock::Timestamp;
use waystation::server::wire::{Crawl, CrawlAsked, CrawlPage, CrawlRequest, Source};

use super::exit::{Error, Outcome};
use super::session::Global;
use super::site::{Query, Site};
use super::table::{Cell, Table};
use super::{out, timing, words};

/// What can be asked of sources.
#[derive(Subcommand)]
pub enum Verb {
    /// List them, with where they stand.
    List,
    /// Show where one stands, and its last looks.
    Show {
        /// The source
        #[arg(value_name = "PIPELINE/STAGE", value_parser = parse_source)]
        source: Name,
    },
    /// List what its looks found, newest first.
    Crawls {
        /// The source
        #[arg(value_name = "PIPELINE/STAGE", value_parser = parse_source)]
        source: Name,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        /// Only older than this one: the next page
        #[arg(long, value_name = "ID")]
        before: Option<String>,
    },
    /// Have one look now, wherever it is looked after.
    Crawl {
        /// The source
        #[arg(value_name = "PIPELINE/STAGE", value_parser = parse_source)]
        source: Name,
        /// Start where it started when it never had looked before
        #[arg(long, conflicts_with = "from")]
        from_beginning: bool,
        /// Start at this checkpoint
        #[arg(long, value_name = "JSON", value_parser = parse_json)]
        from: Option<Value>,
        /// Items that are jobs already become jobs again
        #[arg(long)]
        again: bool,
    },
}

/// A source of a pipeline.
#[derive(Clone, Debug)]
pub struct Name {
    pipeline: String,
    stage: String,
}

fn parse_source(text: &str) -> Result<Name, String> {
    match text.split_once('/') {
        Some((pipeline, stage)) if !pipeline.is_empty() && !stage.is_empty() => {
            Ok(Name { pipeline: pipeline.to_owned(), stage: stage.to_owned() })
        }
        _ => Err("PIPELINE/STAGE is due".to_owned()),
    }
}

fn parse_json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))
}

/// Does it.
pub async fn run(verb: Option<Verb>, global: &Global) -> Result<Outcome, Error> {
    let site = global.site().await?;
    match verb.unwrap_or(Verb::List) {
        Verb::List => list(&site, global).await,
        Verb::Show { source } => show(&source, &site, global).await,
        Verb::Crawls { source, limit, before } => {
            let query = Query::limit(limit).with("before", before);
            let page: CrawlPage =
                site.get(&["sources", &source.pipeline, &source.stage, "crawls"], &query).await?;
            if global.json {
                out::json(&page);
            } else {
                print_crawls(&page.crawls);
            }
            Ok(Outcome::Done)
        }
        Verb::Crawl { source, from_beginning, from, again } => {
            let parts = ["sources", &source.pipeline, &source.stage, "crawl"];
            let request = CrawlRequest { from_beginning, from, again };
            let asked: CrawlAsked = site.post(&parts, &request).await?;
            if global.json {
                out::json(&asked);
                return Ok(Outcome::Done);
            }
            let found: Source =
                site.get(&["sources", &source.pipeline, &source.stage], &Query::default()).await?;
            let when =
                if found.workers.is_empty() { "as soon as an engine runs it" } else { "now" };
            out::say(format_args!("{}/{} looks {when}", source.pipeline, source.stage));
            Ok(Outcome::Done)
        }
    }
}

async fn list(site: &Site, global: &Global) -> Result<Outcome, Error> {
    let sources: Vec<Source> = site.get(&["sources"], &Query::default()).await?;
    if global.json {
        sources.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    if sources.is_empty() {
        out::say("no sources");
        return Ok(Outcome::Done);
    }
    let mut table = Table::new([
        "source",
        "type",
        "looks",
        "next",
        "last look",
        "workers",
        "paused",
        "stands at",
    ]);
    for source in &sources {
        let stands = source.checkpoint.as_ref().map_or_else(String::new, ToString::to_string);
        table.row(vec![
            format!("{}/{}", source.pipeline, source.stage).into(),
            source.source_type.as_str().into(),
            looks(source).into(),
            next(source).into(),
            source.last_crawl.as_ref().map_or_else(|| "never".to_owned(), last).into(),
            source.workers.len().to_string().into(),
            words::pauses(&source.pauses).into(),
            Cell::faint(out::short(&stands, 40)),
        ]);
    }
    table.print();
    Ok(Outcome::Done)
}

async fn show(name: &Name, site: &Site, global: &Global) -> Result<Outcome, Error> {
    let parts = ["sources", name.pipeline.as_str(), name.stage.as_str()];
    let source: Source = site.get(&parts, &Query::default()).await?;
    if global.json {
        out::json(&source);
        return Ok(Outcome::Done);
    }
    let say = |what: &str, value: String| out::line(format_args!("{what:<14}{value}"));
    say("source", format!("{}/{}, version {}", source.pipeline, source.stage, source.version));
    say("type", source.source_type.clone());
    say("looks", looks(&source));
    if let Some(hook) = &source.hook {
        say("address", format!("POST {hook}"));
        if !source.pauses.is_empty() {
            say("paused", words::pauses(&source.pauses));
        }
        return Ok(Outcome::Done);
    }
    say("next", next(&source));
    if source.failures > 0 {
        say("failed", format!("{} times in a row", source.failures));
    }
    let workers = match source.workers.as_slice() {
        [] => "nobody (hint: `waystation engine`)".to_owned(),
        workers => workers.join(", "),
    };
    say("looked after", workers);
    if let Some(checkpoint) = &source.checkpoint {
        say("stands at", checkpoint.to_string());
    }
    if !source.pauses.is_empty() {
        say("paused", words::pauses(&source.pauses));
    }
    let query = Query::limit(5);
    let parts = ["sources", name.pipeline.as_str(), name.stage.as_str(), "crawls"];
    let page: CrawlPage = site.get(&parts, &query).await?;
    out::line("");
    print_crawls(&page.crawls);
    Ok(Outcome::Done)
}

fn print_crawls(crawls: &[Crawl]) {
    if crawls.is_empty() {
        out::say("it has never looked");
        return;
    }
    let mut heads: Vec<_> = ["began", "state", "took"].map(Cell::head).to_vec();
    heads.extend(["found", "new", "known", "failed"].map(Cell::right_head));
    heads.push(Cell::head("worker"));
    heads.push(Cell::head("why"));
    let mut table = Table::with_heads(heads);
    for crawl in crawls {
        let took = crawl.duration_ms.map(Duration::from_millis);
        let plain = clap::builder::styling::Style::new;
        table.row(vec![
            ago(crawl.started_at.0).into(),
            crawl.state.as_str().into(),
            took.map_or_else(|| "-".to_owned(), timing::lasted).into(),
            Cell::count(crawl.found, plain()),
            Cell::count(crawl.new, plain()),
            Cell::count(crawl.skipped, plain()),
            Cell::count(crawl.failed, plain()),
            Cell::faint(crawl.worker_id.clone()),
            why(crawl).into(),
        ]);
    }
    table.print();
}

/// Why it did not come to its end, or an item became no job.
fn why(crawl: &Crawl) -> String {
    let fault = crawl.faults.first().map(|fault| format!("{}: {}", fault.item, fault.message));
    out::short(&crawl.failure.clone().or(fault).unwrap_or_default(), 80)
}

/// When it looks.
fn looks(source: &Source) -> String {
    let by_schedule = || source.schedule.clone().unwrap_or_else(|| "-".to_owned());
    source.hook.as_ref().map_or_else(by_schedule, |_| "when called".to_owned())
}

/// When it looks next.
fn next(source: &Source) -> String {
    let now = timing::now();
    match (&source.crawler, &source.asked, source.due_at) {
        (Some(_), ..) => "looks now".to_owned(),
        (None, Some(ask), _) => format!("now, for {}", ask.by),
        (None, None, Some(due)) if due.0 <= now.plus(Duration::from_secs(1)) => "due".to_owned(),
        (None, None, Some(due)) => format!("in {}", timing::age(due.0, now)),
        (None, None, None) if source.hook.is_some() => "when called".to_owned(),
        (None, None, None) => "when asked".to_owned(),
    }
}

/// `completed, 3 new of 10, 2m ago`.
fn last(crawl: &Crawl) -> String {
    let Crawl { state, new, found, started_at, .. } = crawl;
    format!("{}, {new} new of {found}, {}", state.as_str(), ago(started_at.0))
}

fn ago(then: Timestamp) -> String {
    match timing::age(timing::now(), then) {
        age if age == "now" => age,
        age => format!("{age} ago"),
    }
}
