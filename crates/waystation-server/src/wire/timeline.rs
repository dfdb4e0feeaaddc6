//! A job's stage runs and their attempts, told from its events.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use waystation_core::event::{self, EventKind};

use super::Moment;

/// One stage executing one job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StageRun {
    /// The stage.
    pub stage: String,
    /// Which stage run of the job it is, counted from 1.
    pub visit: u32,
    /// When the job came here, as far as an event tells it.
    pub began_at: Moment,
    /// When the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Moment>,
    /// How: `completed`, `skipped`, `failed` or `aborted`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// What it gave, where events tell it: the handler's output, or the person's answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
}

/// One execution of a stage for a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// Which one, counted from 1.
    pub attempt: u32,
    /// When it began, each time that it did.
    pub started_at: Vec<Moment>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Moment>,
    /// How: `completed`, `retried`, `failed`, `aborted`, `abandoned` or `handed_back`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Why, where it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Value>,
}

/// The stage runs of a job, in the order in which they began.
pub fn stage_runs(events: &[event::Event]) -> Vec<StageRun> {
    let mut runs: Vec<StageRun> = Vec::new();
    for event in events.iter().filter(|event| event.kind != EventKind::Created) {
        let same = |run: &StageRun| run.visit == event.visit && run.stage == event.stage.as_str();
        let index = runs.iter().rposition(same).unwrap_or_else(|| {
            runs.push(begun(event));
            runs.len() - 1
        });
        add(&mut runs[index], event);
    }
    runs
}

fn begun(event: &event::Event) -> StageRun {
    StageRun {
        stage: event.stage.to_string(),
        visit: event.visit,
        began_at: event.at.into(),
        ended_at: None,
        outcome: None,
        output: None,
        attempts: Vec::new(),
    }
}

fn add(run: &mut StageRun, event: &event::Event) {
    let told = |name: &str| event.detail.as_ref().and_then(|detail| detail.get(name)).cloned();
    let at = Moment(event.at);
    match event.kind {
        EventKind::Started => attempt(run, event.attempt).started_at.push(at),
        EventKind::Retried => end(run, event, told("failure")),
        EventKind::Failed => end(run, event, event.detail.clone()),
        EventKind::Completed
        | EventKind::Aborted
        | EventKind::Abandoned
        | EventKind::HandedBack => end(run, event, None),
        EventKind::Created
        | EventKind::Skipped
        | EventKind::Waiting
        | EventKind::Requeued
        | EventKind::Dropped => {}
    }
    let ends = [EventKind::Completed, EventKind::Skipped, EventKind::Failed, EventKind::Aborted];
    if ends.contains(&event.kind) {
        (run.ended_at, run.outcome) = (Some(at), Some(event.kind.as_str().to_owned()));
    }
    if event.kind == EventKind::Completed {
        run.output = told("response").or_else(|| told("answer"));
    }
}

/// What ends without an attempt, as a task does, has none.
fn end(run: &mut StageRun, event: &event::Event, failure: Option<Value>) {
    let Some(attempt) = run.attempts.iter_mut().find(|one| one.attempt == event.attempt) else {
        return;
    };
    attempt.ended_at = Some(event.at.into());
    attempt.outcome = Some(event.kind.as_str().to_owned());
    attempt.failure = failure;
}

fn attempt(run: &mut StageRun, number: u32) -> &mut Attempt {
    let known = run.attempts.iter().position(|one| one.attempt == number);
    let index = known.unwrap_or_else(|| {
        run.attempts.push(Attempt {
            attempt: number,
            started_at: Vec::new(),
            ended_at: None,
            outcome: None,
            failure: None,
        });
        run.attempts.len() - 1
    });
    &mut run.attempts[index]
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use waystation_core::clock::Timestamp;

    use super::*;

    fn event(kind: EventKind, stage: &str, visit: u32, attempt: u32, at: i64) -> event::Event {
        let detail = (kind == EventKind::Completed).then(|| json!({ "response": { "n": at } }));
        let at = Timestamp(at);
        event::Event { job_id: "j".into(), kind, stage: stage.into(), visit, attempt, at, detail }
    }

    #[test]
    fn runs_have_their_attempts_and_their_ends() {
        let runs = stage_runs(&[
            event(EventKind::Created, "a", 1, 1, 0),
            event(EventKind::Started, "a", 1, 1, 1),
            event(EventKind::Abandoned, "a", 1, 1, 2),
            event(EventKind::Started, "a", 1, 1, 3),
            event(EventKind::Retried, "a", 1, 1, 4),
            event(EventKind::Started, "a", 1, 2, 5),
            event(EventKind::Completed, "a", 1, 2, 6),
            event(EventKind::Waiting, "b", 2, 1, 6),
        ]);
        assert_eq!(runs.len(), 2);
        let [first, second] = &runs[..] else { panic!("two runs") };
        assert_eq!(
            (first.outcome.as_deref(), &first.output),
            (Some("completed"), &Some(json!({"n": 6})))
        );
        let outcomes: Vec<_> = first.attempts.iter().map(|one| one.outcome.as_deref()).collect();
        assert_eq!(outcomes, [Some("retried"), Some("completed")]);
        assert_eq!(first.attempts[0].started_at.len(), 2, "a lease was lost in between");
        assert_eq!((second.stage.as_str(), second.ended_at), ("b", None));
    }
}
