//! `waystation overview`: how everything gets on, at a glance.

use clap::builder::styling::{AnsiColor, Style};
use waystation::core::state::JobState;
use waystation::server::wire::{Flow, JobCounts, Overview, PipelineOverview};

use super::exit::{Error, Outcome};
use super::session::Global;
use super::site::{Query, Refusal, Site};
use super::table::{Cell, Table};
use super::{out, timing, words};

/// What figures are wanted.
#[derive(clap::Args)]
pub struct Arguments {
    /// Rates, failures and latencies of so many minutes
    #[arg(long, value_name = "N", default_value_t = 5)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=60))]
    minutes: u32,
}

/// The states whose counts have columns.
pub const STATES: [(JobState, &str); 7] = [
    (JobState::Queued, "queued"),
    (JobState::Delayed, "delayed"),
    (JobState::Running, "running"),
    (JobState::Retrying, "retrying"),
    (JobState::Waiting, "waiting"),
    (JobState::Completed, "completed"),
    (JobState::Failed, "failed"),
];

/// How everything gets on.
pub async fn look(minutes: u32, site: &Site) -> Result<Overview, Refusal> {
    site.get(&["overview"], &Query::default().with("minutes", Some(minutes))).await
}

/// Shows it.
pub async fn run(arguments: &Arguments, global: &Global) -> Result<Outcome, Error> {
    let site = global.site().await?;
    let overview = look(arguments.minutes, &site).await?;
    if global.json {
        out::json(&overview);
        return Ok(Outcome::Done);
    }
    if overview.pipelines.is_empty() {
        out::say("no pipelines (hint: `submit FILE` and `run FILE` put one)");
        return Ok(Outcome::Done);
    }
    for (index, pipeline) in overview.pipelines.iter().enumerate() {
        if index > 0 {
            out::line("");
        }
        print(pipeline, &overview);
    }
    Ok(Outcome::Done)
}

fn print(pipeline: &PipelineOverview, overview: &Overview) {
    let title = format!("{} version {}", pipeline.name, pipeline.version);
    let pauses = words::pauses(&pipeline.pauses);
    let pauses = if pauses.is_empty() { pauses } else { format!(" ({pauses})") };
    out::line(format_args!(
        "{}{}",
        out::paint(&out::clean(&title), out::strong()),
        out::clean(&pauses)
    ));
    if let Some(problem) = &pipeline.problem {
        out::line(out::clean(problem));
    }
    let mut heads = vec![Cell::head("stage")];
    heads.extend(STATES.map(|(_, name)| Cell::right_head(name)));
    heads.extend(["begun/min", "done/min", "fails", "p50", "p99", "oldest"].map(Cell::right_head));
    let mut table = Table::with_heads(heads);
    let age = |at: Option<waystation::server::wire::Moment>| {
        at.map_or_else(|| "-".to_owned(), |at| timing::age(overview.at.0, at.0))
    };
    for stage in &pipeline.stages {
        let name = if stage.is_paused { format!("{} ‖", stage.id) } else { stage.id.clone() };
        table.row(row(name.into(), &stage.jobs, &stage.flow, age(stage.oldest_at)));
    }
    let all = Cell::faint("all");
    table.row(row(all, &pipeline.jobs, &pipeline.flow, age(pipeline.oldest_at)));
    table.print();
}

fn row(name: Cell, jobs: &JobCounts, flow: &Flow, oldest: String) -> Vec<Cell> {
    let mut cells = vec![name];
    cells.extend(STATES.map(|(state, name)| {
        Cell::count(jobs.get(name).copied().unwrap_or(0), out::style_of(state))
    }));
    let red: Style = AnsiColor::Red.on_default();
    cells.push(Cell::right(rate(flow.begun_per_minute)));
    cells.push(Cell::right(rate(flow.completed_per_minute)));
    cells.push(Cell::count(flow.failed, red));
    cells.push(Cell::right(timing::short(flow.p50_ms)));
    cells.push(Cell::right(timing::short(flow.p99_ms)));
    cells.push(Cell::right(oldest));
    cells
}

/// A rate as it is read at a glance: `-`, `0.4`, `12`.
pub fn rate(per_minute: f64) -> String {
    match per_minute {
        rate if rate <= 0.0 => "-".to_owned(),
        rate if rate < 9.95 => format!("{rate:.1}"),
        rate => format!("{rate:.0}"),
    }
}
