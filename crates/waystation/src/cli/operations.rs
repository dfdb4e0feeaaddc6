//! `waystation operations`: one act on many jobs, which goes on by itself.

use std::fmt::Write;
use std::time::Duration;

use clap::Subcommand;
use serde_json::json;
use waystation::Signals;
use waystation::server::wire::{
    Act, DryRun, Operation, OperationPage, OperationRequest, OperationState,
};

use super::exit::{Error, Outcome};
use super::session::Global;
use super::site::{Query, Refusal, Site};
use super::table::{Cell, Table};
use super::{out, timing};

/// How often it is asked how far an operation is: more seldom the longer it takes.
const GAP: Duration = Duration::from_millis(50);
const GAP_MAX: Duration = Duration::from_secs(1);

/// What can be done with bulk operations.
#[derive(Subcommand)]
pub enum Verb {
    /// List them, newest first.
    List {
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        /// Only older than this one: the next page
        #[arg(long, value_name = "ID")]
        before: Option<String>,
    },
    /// Show how far one is.
    Show {
        /// The operation
        id: String,
    },
    /// End one. What it has done stays done.
    Cancel {
        /// The operation
        id: String,
    },
}

/// Does it.
pub async fn run(verb: Verb, global: &Global) -> Result<Outcome, Error> {
    let site = global.site().await?;
    match verb {
        Verb::List { limit, before } => list(limit, before, &site, global).await,
        Verb::Show { id } => {
            show(&get(&site, &id).await?, global);
            Ok(Outcome::Done)
        }
        Verb::Cancel { id } => {
            let cancelled = site.post(&["operations", &id, "cancel"], &json!({})).await?;
            show(&cancelled, global);
            Ok(Outcome::Done)
        }
    }
}

/// Begins an operation and tells how far it is until it is done; or only tells how many jobs it
/// would be about.
pub async fn carry_out(
    site: &Site,
    request: &OperationRequest,
    dry_run: bool,
    global: &Global,
) -> Result<Outcome, Error> {
    if dry_run {
        let would: DryRun = site.post(&["operations", "dry-run"], request).await?;
        if global.json {
            out::json(&would);
        } else {
            let jobs = out::counted(would.jobs as usize, "job");
            let least = if would.complete { "" } else { "at least " };
            out::line(format_args!("{least}{jobs} would be {}", done_word(request.act)));
        }
        return Ok(Outcome::Done);
    }
    let mut signals = Signals::listen()
        .map_err(|error| Error::failed(format!("cannot listen to signals: {error}")))?;
    let begun: Operation = site.post(&["operations"], request).await?;
    // No server need be there to work at what is in a store.
    let runner = match site {
        Site::Here(here) => Some(here.work_at_operations()),
        Site::There(_) => None,
    };
    let id = begun.id.clone();
    let ended = tokio::select! {
        ended = until_ended(begun, site, global) => Some(ended),
        () = signals.next() => None,
    };
    if let Some(runner) = runner {
        runner.end().await;
    }
    let Some(ended) = ended else {
        let goes_on = match site {
            Site::Here(_) => "goes on with the next server or bulk operation on this store",
            Site::There(_) => "goes on at the server",
        };
        let cancel = global.command(&format!("operations cancel {id}"));
        out::hint(format_args!("operation {id} {goes_on}: `{cancel}` ends it"));
        return Ok(Outcome::StoppedAtOnce);
    };
    let ended = ended?;
    show(&ended, global);
    let is_good = ended.state == OperationState::Done && ended.failed == 0;
    Ok(if is_good { Outcome::Done } else { Outcome::NotAll })
}

async fn get(site: &Site, id: &str) -> Result<Operation, Refusal> {
    site.get(&["operations", id], &Query::default()).await
}

/// Shows how far it is until it is over.
async fn until_ended(begun: Operation, site: &Site, global: &Global) -> Result<Operation, Refusal> {
    let bar = out::bar(begun.matched.jobs, doing_word(begun.act), global.quiet || global.json);
    let (mut operation, mut gap) = (begun, GAP);
    while operation.state == OperationState::Running {
        tokio::time::sleep(gap).await;
        gap = (gap * 2).min(GAP_MAX);
        operation = get(site, &operation.id).await?;
        bar.set_length(operation.matched.jobs.max(operation.looked_at));
        bar.set_position(operation.looked_at);
    }
    bar.finish_and_clear();
    Ok(operation)
}

fn doing_word(act: Act) -> &'static str {
    match act {
        Act::Abort => "aborting",
        Act::Retry => "trying again",
        Act::DropDead => "dropping",
    }
}

fn done_word(act: Act) -> &'static str {
    match act {
        Act::Abort => "aborted",
        Act::Retry => "tried again",
        Act::DropDead => "dropped",
    }
}

fn state_word(state: OperationState) -> &'static str {
    match state {
        OperationState::Running => "running",
        OperationState::Done => "done",
        OperationState::Cancelled => "cancelled",
        OperationState::Failed => "failed",
    }
}

/// What came of an operation so far.
fn show(operation: &Operation, global: &Global) {
    if global.json {
        return out::json(operation);
    }
    let Operation { id, act, state, done, skipped, failed, .. } = operation;
    let done = out::counted(*done as usize, "job");
    let mut line = format!("operation {id} is {}: {done} {}", state_word(*state), done_word(*act));
    // Writing into a text cannot fail.
    if *skipped > 0 {
        let _ = write!(line, ", {skipped} needed it no more");
    }
    if *failed > 0 {
        let _ = write!(line, ", {failed} could not be");
    }
    out::line(line);
    for error in &operation.errors {
        let job =
            error.job_id.as_ref().map_or_else(String::new, |job_id| format!("job {job_id}: "));
        out::say(out::clean(&format!("{}: {job}{}", out::error_word(), error.message)));
    }
}

async fn list(
    limit: usize,
    before: Option<String>,
    site: &Site,
    global: &Global,
) -> Result<Outcome, Error> {
    let query = Query::limit(limit).with("before", before);
    let page: OperationPage = site.get(&["operations"], &query).await?;
    if global.json {
        page.operations.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    if page.operations.is_empty() {
        out::say("no bulk operations");
        return Ok(Outcome::Done);
    }
    let mut table = Table::with_heads(vec![
        Cell::head("operation"),
        Cell::head("act"),
        Cell::head("state"),
        Cell::right_head("done"),
        Cell::right_head("of"),
        Cell::head("by"),
        Cell::head("age"),
        Cell::head("why"),
    ]);
    for operation in &page.operations {
        table.row(vec![
            operation.id.as_str().into(),
            done_word(operation.act).into(),
            state_word(operation.state).into(),
            Cell::count(operation.done, clap::builder::styling::Style::new()),
            Cell::count(operation.matched.jobs, out::faint()),
            operation.by.as_str().into(),
            timing::age(timing::now(), operation.created_at.0).into(),
            Cell::faint(out::short(&operation.reason, 60)),
        ]);
    }
    table.print();
    if let Some(next) = page.next {
        out::say(format_args!("there may be more: add --before {next}"));
    }
    Ok(Outcome::Done)
}
