//! The rows of each tab, as they are to be read.

use std::time::Duration;

use ratatui::style::{Color, Modifier, Style};
use waystation::core::clock::Timestamp;
use waystation::server::wire::{
    Flow, JobCounts, Moment, PipelineOverview, Queue, StageOverview, Worker,
};

use super::snapshot::Snapshot;
use crate::cli::overview::rate;
use crate::cli::pauses::Target;
use crate::cli::workers::{memory, serves};
use crate::cli::{out, timing};

/// A column of a tab.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// What stands above it.
    pub head: &'static str,
    /// How many letters it takes at least. The first column takes what is left.
    pub width: u16,
    /// The higher, the longer it stays where there is little room.
    pub weight: u8,
}

/// A row.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// Its fields, one a column.
    pub fields: Vec<(String, Style)>,
    /// What can be paused of it, and whether it is.
    pub target: Option<(Target, bool)>,
    /// The pipeline that it is of.
    pub pipeline: Option<String>,
    /// What a filter is held against.
    pub text: String,
}

const fn column(head: &'static str, width: u16, weight: u8) -> Column {
    Column { head, width, weight }
}

/// Of pipelines and stages.
pub const PIPELINES: [Column; 14] = [
    column("pipeline / stage", 20, 255),
    column("queued", 7, 90),
    column("running", 7, 100),
    column("waiting", 7, 70),
    column("retrying", 8, 50),
    column("delayed", 7, 30),
    column("completed", 9, 20),
    column("failed", 7, 95),
    column("in/min", 7, 40),
    column("done/min", 8, 85),
    column("fails", 5, 60),
    column("p50", 6, 75),
    column("p99", 6, 65),
    column("oldest", 6, 80),
];

/// Of workers.
pub const WORKERS: [Column; 8] = [
    column("worker", 20, 255),
    column("kind", 8, 50),
    column("up", 4, 40),
    column("in hand", 7, 100),
    column("done/s", 7, 80),
    column("cpu", 5, 90),
    column("memory", 8, 85),
    column("serves", 24, 70),
];

/// Of queues.
pub const QUEUES: [Column; 8] = [
    column("queue", 20, 255),
    column("ready", 7, 100),
    column("delayed", 7, 70),
    column("behind", 6, 40),
    column("running", 7, 90),
    column("oldest", 6, 80),
    column("workers", 7, 60),
    column("paused", 8, 50),
];

/// The pipelines, each with its stages below it.
pub fn pipelines(snapshot: &Snapshot) -> Vec<Row> {
    let now = snapshot.overview.at.0;
    let mut rows = Vec::new();
    for pipeline in &snapshot.overview.pipelines {
        rows.push(of_pipeline(pipeline, now));
        let stages = pipeline.stages.iter();
        rows.extend(stages.map(|stage| of_stage(pipeline, stage, now)));
    }
    rows
}

fn of_pipeline(pipeline: &PipelineOverview, now: Timestamp) -> Row {
    let is_own = |target: &str| target.strip_prefix("pipeline/") == Some(&*pipeline.name);
    let own = pipeline.pauses.iter().find(|pause| is_own(&pause.target));
    let mark = match own {
        Some(pause) if pause.is_pause() => " (paused)",
        Some(_) => " (drained)",
        None if pipeline.problem.is_some() => " (unreadable)",
        None => "",
    };
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let name = (format!("{}{mark}", pipeline.name), marked(bold, own.is_some()));
    Row {
        fields: counted(name, &pipeline.jobs, &pipeline.flow, pipeline.oldest_at, now),
        target: Some((Target::Pipeline(pipeline.name.clone()), own.is_some())),
        pipeline: Some(pipeline.name.clone()),
        text: pipeline.name.clone(),
    }
}

fn of_stage(pipeline: &PipelineOverview, stage: &StageOverview, now: Timestamp) -> Row {
    let path = format!("stage/{}/{}", pipeline.name, stage.id);
    let is_own = pipeline.pauses.iter().any(|pause| pause.target == path);
    let mark = if stage.is_paused { " (paused)" } else { "" };
    let kind = match stage.kind.as_deref() {
        Some("worker") => String::new(),
        Some(kind) => format!(" [{kind}]"),
        None => " [earlier]".to_owned(),
    };
    let name = (format!("  {}{kind}{mark}", stage.id), marked(Style::new(), stage.is_paused));
    let target = Target::Stage(pipeline.name.clone(), stage.id.clone());
    Row {
        fields: counted(name, &stage.jobs, &stage.flow, stage.oldest_at, now),
        target: Some((target, is_own)),
        pipeline: Some(pipeline.name.clone()),
        text: format!("{}/{}", pipeline.name, stage.id),
    }
}

fn marked(style: Style, is_paused: bool) -> Style {
    if is_paused { style.fg(Color::Yellow) } else { style }
}

/// The fields of pipelines and stages.
fn counted(
    name: (String, Style),
    jobs: &JobCounts,
    flow: &Flow,
    oldest_at: Option<Moment>,
    now: Timestamp,
) -> Vec<(String, Style)> {
    let of = |state: &str| jobs.get(state).copied().unwrap_or(0);
    vec![
        name,
        count(of("queued") + of("ready"), Color::Reset),
        count(of("running"), Color::Cyan),
        count(of("waiting"), Color::Yellow),
        count(of("retrying"), Color::Yellow),
        count(of("delayed"), Color::Yellow),
        count(of("completed"), Color::Green),
        count(of("failed"), Color::Red),
        plain(&rate(flow.begun_per_minute)),
        plain(&rate(flow.completed_per_minute)),
        count(flow.failed, Color::Red),
        plain(&timing::short(flow.p50_ms)),
        plain(&timing::short(flow.p99_ms)),
        plain(&age(oldest_at, now)),
    ]
}

/// The workers; `cpu` tells what share of a processor each used of late.
pub fn workers(snapshot: &Snapshot, cpu: impl Fn(&Worker) -> Option<f64>) -> Vec<Row> {
    let now = snapshot.overview.at.0;
    let row = |worker: &Worker| {
        let kind = if worker.draining { "draining" } else { &worker.kind };
        let cpu =
            cpu(worker).map_or_else(|| "-".to_owned(), |share| format!("{:.0}%", share * 100.0));
        let name = worker.worker_id.clone();
        let fields = vec![
            plain(&name),
            (kind.to_owned(), marked(Style::new(), worker.draining)),
            plain(&timing::age(now, worker.started_at.0)),
            count(worker.in_flight, Color::Cyan),
            plain(&format!("{:.1}", worker.settled_per_second)),
            plain(&cpu),
            plain(&worker.memory_bytes.map_or_else(|| "-".to_owned(), memory)),
            plain(&serves(worker)),
        ];
        let text = format!("{name} {}", serves(worker));
        Row { fields, target: None, pipeline: None, text }
    };
    snapshot.workers.iter().map(row).collect()
}

/// The queues.
pub fn queues(snapshot: &Snapshot) -> Vec<Row> {
    let now = snapshot.overview.at.0;
    let row = |queue: &Queue| {
        let path = format!("queue/{}", queue.queue);
        let is_own = queue.pauses.iter().any(|pause| pause.target == path);
        let paused = if queue.pauses.is_empty() { "" } else { "paused" };
        let fields = vec![
            plain(&queue.queue),
            count(queue.ready, Color::Reset),
            count(queue.delayed, Color::Yellow),
            count(queue.behind, Color::Reset),
            count(queue.in_flight, Color::Cyan),
            plain(&age(queue.oldest_at, now)),
            count(queue.workers, Color::Reset),
            (paused.to_owned(), marked(Style::new(), true)),
        ];
        let target = Some((Target::Queue(queue.queue.clone()), is_own));
        Row { fields, target, pipeline: None, text: queue.queue.clone() }
    };
    snapshot.queues.iter().map(row).collect()
}

fn plain(text: &str) -> (String, Style) {
    let style = if text == "-" { faint() } else { Style::new() };
    (out::clean(text), style)
}

fn count(count: u64, colour: Color) -> (String, Style) {
    match count {
        0 => ("-".to_owned(), faint()),
        count => (brief(count), Style::new().fg(colour)),
    }
}

/// What is there for completeness.
pub fn faint() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

/// `12`, `99999`, `123k`, `12M`: never more than seven letters.
fn brief(count: u64) -> String {
    match count {
        0..100_000 => count.to_string(),
        100_000..10_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}

fn age(at: Option<Moment>, now: Timestamp) -> String {
    // What came in this moment is not worth a look.
    let waited = at.filter(|at| now.since(at.0) >= Duration::from_secs(1));
    waited.map_or_else(|| "-".to_owned(), |at| timing::age(now, at.0))
}
