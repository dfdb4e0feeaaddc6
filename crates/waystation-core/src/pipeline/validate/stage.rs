//! What can be wrong with a stage.

use std::collections::HashMap;

use super::{Findings, Scope, check_name};
use crate::pipeline::nearest::nearest;
use crate::pipeline::{Catalog, OnStageFailure, Pipeline, Problem, Stage, StageKind, Target};

/// How many types are listed when one is unknown.
const NAMES_SHOWN: usize = 40;

pub(super) fn check(
    pipeline: &Pipeline,
    catalog: &dyn Catalog,
    scope: &Scope,
    findings: &mut Findings,
) {
    check_ids(pipeline, findings);
    for (index, stage) in pipeline.stages.iter().enumerate() {
        check_numbers(index, stage, findings);
        let Some(kind) = catalog.kind(&stage.kind) else {
            findings.stage(index, "type", unknown_type(stage, catalog));
            continue;
        };
        if kind != StageKind::Manual && !stage.form.fields.is_empty() {
            let message = format!(
                "stage `{}` has a form, but its type `{}` is not manual",
                stage.id, stage.kind
            );
            findings.stage(index, "form", Problem::new(message));
        }
        if kind != StageKind::Worker && stage.offload {
            let message = format!(
                "stage `{}` offloads values, but its type `{}` has no output here",
                stage.id, stage.kind
            );
            findings.stage(index, "offload", Problem::new(message));
        }
        let kind_has_no_queue = matches!(kind, StageKind::Manual | StageKind::Source);
        if !matches!(kind, StageKind::Worker | StageKind::Remote) {
            check_attempts(index, stage, findings);
            let (id, kind) = (&stage.id, &stage.kind);
            if stage.key.is_some() {
                let message =
                    format!("stage `{id}` has a `key`, but its type `{kind}` keeps no order");
                findings.stage(index, "key", Problem::new(message));
            }
            let limits =
                [("lane_limit", stage.lane_limit), ("priority_alarm", stage.priority_alarm)];
            for (name, _) in limits.iter().filter(|(_, said)| kind_has_no_queue && said.is_some()) {
                let message =
                    format!("stage `{id}` has a `{name}`, but its type `{kind}` has no queue");
                findings.stage(index, name, Problem::new(message));
            }
        }
        if let Some(problem) = check_schedule(stage, kind, catalog) {
            findings.stage(index, "schedule", problem);
        }
        if let Some(problem) = check_queue(pipeline, index, kind) {
            findings.stage(index, "queue", problem);
        }
        if scope.unbuilt.contains(&index) {
            continue;
        }
        for message in catalog.build(stage).err().unwrap_or_default() {
            let key = named_setting(stage, &message);
            let problem = Problem::new(format!("stage `{}`: {message}", stage.id));
            findings.stage(index, &key, problem);
        }
    }
}

/// What only attempts of ours have.
fn check_attempts(index: usize, stage: &Stage, findings: &mut Findings) {
    let (id, kind) = (&stage.id, &stage.kind);
    if stage.when.is_some() {
        let message =
            format!("stage `{id}` has a `when`, but nothing of its type `{kind}` asks it");
        let hint = "put `when` on the routes to it";
        findings.stage(index, "when", Problem::new(message).hint(hint));
    }
    if stage.on_failure != OnStageFailure::Fail {
        let message = format!("stage `{id}` has `on_failure`, but its type `{kind}` never fails");
        findings.stage(index, "on_failure", Problem::new(message));
    }
}

fn check_schedule(stage: &Stage, kind: StageKind, catalog: &dyn Catalog) -> Option<Problem> {
    stage.schedule.as_ref()?;
    let (id, setting) = (&stage.id, Stage::INTERVAL_SETTING);
    if kind != StageKind::Source {
        let message =
            format!("stage `{id}` has a schedule, but its type `{}` is no source", stage.kind);
        return Some(Problem::new(message));
    }
    if catalog.is_hook(&stage.kind) {
        let message = format!(
            "stage `{id}` has a schedule, but its type `{}` never looks: its items are brought",
            stage.kind
        );
        return Some(Problem::new(message).hint("leave `schedule` out"));
    }
    let both = stage.settings.contains_key(setting);
    let message = format!("stage `{id}`: `schedule` and the setting `{setting}` say the same");
    both.then(|| Problem::new(message).hint("leave one out"))
}

/// The longest name of a queue, in bytes: brokers take 255, and delays and dead letters need an
/// ending of their own.
const QUEUE_BYTES_MAX: usize = 200;

fn check_queue(pipeline: &Pipeline, index: usize, kind: StageKind) -> Option<Problem> {
    let stage = &pipeline.stages[index];
    let queue = stage.queue.as_ref()?.as_str();
    if !matches!(kind, StageKind::Worker | StageKind::Foreign | StageKind::Remote) {
        let message =
            format!("stage `{}` has a queue, but its type `{}` reads none", stage.id, stage.kind);
        return Some(Problem::new(message));
    }
    let fits = (1..=QUEUE_BYTES_MAX).contains(&queue.len());
    if !fits || queue.chars().any(char::is_control) {
        return Some(Problem::new(format!(
            "`queue` of stage `{}` must be 1 to {QUEUE_BYTES_MAX} bytes without control \
             characters, not `{}`",
            stage.id,
            queue.escape_debug()
        )));
    }
    let earlier =
        pipeline.stages[..index].iter().find(|other| pipeline.queue_of(other).as_str() == queue)?;
    let message =
        format!("stages `{}` and `{}` read the same queue `{queue}`", earlier.id, stage.id);
    Some(Problem::new(message).hint("each stage needs a queue of its own"))
}

fn check_ids(pipeline: &Pipeline, findings: &mut Findings) {
    let mut seen = HashMap::new();
    for (index, stage) in pipeline.stages.iter().enumerate() {
        let id = stage.id.as_str();
        if id == Target::DONE {
            let problem = Problem::new("a stage may not be called `done`")
                .hint("`done` stands for the job's end in routes");
            findings.stage(index, "id", problem);
        }
        if let Some(problem) = check_name("the stage name", id) {
            findings.stage(index, "id", problem);
        }
        if let Some(first) = seen.insert(id, index) {
            let message = format!(
                "two stages are called `{id}`: the {} and the {}",
                ordinal(first + 1),
                ordinal(index + 1)
            );
            findings.stage(index, "id", Problem::new(message));
        }
    }
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// Pipeline files cannot say these; Rust can.
fn check_numbers(index: usize, stage: &Stage, findings: &mut Findings) {
    let id = &stage.id;
    let most = Stage::CONCURRENCY_MAX;
    if !(1..=most).contains(&stage.concurrency) {
        let message = format!(
            "`concurrency` of stage `{id}` must be from 1 to {most}, not {}",
            stage.concurrency
        );
        findings.stage(index, "concurrency", Problem::new(message));
    }
    if stage.max_deliveries == 0 {
        let message = format!("`max_deliveries` of stage `{id}` must be at least 1, not 0");
        findings.stage(index, "max_deliveries", Problem::new(message));
    }
    if stage.timeout.is_some_and(|timeout| timeout.is_zero()) {
        let message = format!("the timeout of stage `{id}` must be above 0");
        findings.stage(index, "timeout_seconds", Problem::new(message));
    }
    let retry = &stage.retry;
    if retry.delay > retry.delay_max {
        let message = format!(
            "stage `{id}` waits {:?} before its first retry, longer than its longest wait of {:?}",
            retry.delay, retry.delay_max
        );
        findings.stage(index, "retry", Problem::new(message));
    }
}

fn unknown_type(stage: &Stage, catalog: &dyn Catalog) -> Problem {
    let names = catalog.names();
    let known = names.iter().map(String::as_str);
    let message = format!("stage `{}` has the unknown type `{}`", stage.id, stage.kind);
    let shown: Vec<_> = known.clone().take(NAMES_SHOWN).collect();
    let more = if names.len() > shown.len() { " …" } else { "" };
    let shown = shown.join(", ");
    Problem::new(message).hint(match nearest(&stage.kind, known) {
        Some(name) => format!("did you mean `{name}`? known types: {shown}{more}"),
        None => format!("known types: {shown}{more}"),
    })
}

/// The setting that a message of the catalog names in backticks, as a key path.
fn named_setting(stage: &Stage, message: &str) -> String {
    message
        .split('`')
        .skip(1)
        .step_by(2)
        // A part of a setting, as `retry.delay` or `patterns[0]`, stands where the setting does.
        .map(|name| name.split(['.', '[']).next().unwrap_or(name))
        .find(|name| stage.settings.contains_key(*name))
        .map_or_else(|| "settings".to_owned(), |name| format!("settings.{name}"))
}
