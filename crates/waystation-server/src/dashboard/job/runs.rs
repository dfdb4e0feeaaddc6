//! A job's stage runs and their attempts, made of its events.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;
use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::{Event, EventKind};
use waystation_core::failure::Failure;
use waystation_core::id::StageId;
use waystation_core::job::JobRecord;
use waystation_core::pipeline::ParamsMode;
use waystation_core::state::JobState;

use super::changes::{Changes, Output, changes};

/// A stage that did a job once.
#[derive(Debug)]
pub struct Run {
    /// Which stage run of the job, counted from 1.
    pub visit: u32,
    /// The stage.
    pub stage: StageId,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
    /// What else happened to it.
    pub notes: Vec<Event>,
    /// What it gave, once it completed.
    pub output: Option<Params>,
    /// What that changed of the params.
    pub changes: Changes,
    /// By whom it was answered, where a person did it.
    pub by: Option<String>,
    /// How the job was routed on, where that is told.
    pub label: Option<String>,
}

/// An attempt, or a person's time at it.
#[derive(Debug)]
pub struct Attempt {
    /// Which one, counted from 1.
    pub number: u32,
    /// When it began.
    pub began: Timestamp,
    /// When it ended, and how.
    pub ended: Option<(Timestamp, EventKind)>,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

impl Attempt {
    /// How long it took, or takes.
    pub fn lasted(&self, now: Timestamp) -> Duration {
        self.ended.map_or(now, |(at, _)| at).since(self.began)
    }
}

impl Run {
    fn empty(visit: u32, stage: StageId) -> Self {
        Self {
            visit,
            stage,
            attempts: Vec::new(),
            notes: Vec::new(),
            output: None,
            changes: Changes::default(),
            by: None,
            label: None,
        }
    }

    /// How it stands, by what happened last.
    pub fn last(&self) -> EventKind {
        let ended = self.attempts.last().and_then(|attempt| attempt.ended);
        match (ended, self.attempts.last()) {
            (Some((_, kind)), _) => kind,
            (None, Some(_)) if self.notes.iter().any(|note| note.kind == EventKind::Aborted) => {
                EventKind::Aborted
            }
            (None, Some(_)) if self.notes.iter().any(|note| note.kind == EventKind::Waiting) => {
                EventKind::Waiting
            }
            (None, Some(_)) => EventKind::Started,
            (None, None) => self.notes.last().map_or(EventKind::Created, |note| note.kind),
        }
    }

    /// Takes in what happened.
    fn take(&mut self, event: &Event) {
        match event.kind {
            EventKind::Created => {}
            EventKind::Started | EventKind::Waiting => {
                if event.kind == EventKind::Waiting {
                    self.notes.push(event.clone());
                }
                let (number, began) = (event.attempt, event.at);
                self.attempts.push(Attempt { number, began, ended: None, failure: None });
            }
            EventKind::Completed
            | EventKind::Retried
            | EventKind::Failed
            | EventKind::Abandoned
            | EventKind::HandedBack
            | EventKind::Skipped => self.end(event),
            EventKind::Aborted => {
                if self.attempts.last().is_some_and(|attempt| attempt.ended.is_none()) {
                    self.end(event);
                }
                self.notes.push(event.clone());
            }
            EventKind::Requeued | EventKind::Dropped => self.notes.push(event.clone()),
        }
    }

    fn end(&mut self, event: &Event) {
        let detail = event.detail.as_ref();
        let failure = match event.kind {
            EventKind::Failed => detail,
            EventKind::Retried => detail.and_then(|detail| detail.get("failure")),
            _ => None,
        };
        let failure = failure.and_then(|told| serde_json::from_value(told.clone()).ok());
        let ended = Some((event.at, event.kind));
        let open = self.attempts.last_mut().filter(|attempt| attempt.ended.is_none());
        if let Some(attempt) = open {
            (attempt.ended, attempt.failure) = (ended, failure);
        } else if event.kind == EventKind::Skipped {
            // Jobs pass over what stands before their entry stage.
            self.notes.push(event.clone());
        } else {
            // It ended without having begun, as what is delivered too often does.
            let (number, began) = (event.attempt, event.at);
            self.attempts.push(Attempt { number, began, ended, failure });
        }
        if event.kind == EventKind::Completed {
            let part = |name: &str| detail.and_then(|detail| detail.get(name));
            let text = |name: &str| part(name).and_then(Value::as_str).map(str::to_owned);
            let given = part("response").or_else(|| part("answer"));
            self.output = Some(given.and_then(Value::as_object).cloned().unwrap_or_default());
            (self.by, self.label) = (text("by"), text("label"));
        }
    }
}

/// The stage runs in their order, each with what it changed of the params as they stand now.
pub fn runs(events: &[Event], now: &Params, mode: impl Fn(&StageId) -> ParamsMode) -> Vec<Run> {
    let mut runs: BTreeMap<u32, Run> = BTreeMap::new();
    for event in events {
        let run =
            runs.entry(event.visit).or_insert_with(|| Run::empty(event.visit, event.stage.clone()));
        run.stage = event.stage.clone();
        run.take(event);
    }
    let mut runs: Vec<Run> = runs.into_values().collect();
    let complete = || runs.iter().filter_map(|run| Some((&run.stage, run.output.clone()?)));
    let outputs: Vec<_> =
        complete().map(|(stage, fields)| Output { fields, mode: mode(stage) }).collect();
    let told = changes(now, &outputs);
    let complete = runs.iter_mut().filter(|run| run.output.is_some());
    complete.zip(told).for_each(|(run, changes)| run.changes = changes);
    runs
}

/// Tells of the attempt that goes on: its start is written down with its end.
pub fn tell_running(runs: &mut Vec<Run>, job: &JobRecord) {
    let Some(began) = job.running_since.filter(|_| job.state == JobState::Running) else { return };
    let Some((visit, number)) = Contract::awaited(&job.body) else { return };
    let place = runs.iter().position(|run| run.visit == visit).unwrap_or_else(|| {
        runs.push(Run::empty(visit, job.stage.clone()));
        runs.len() - 1
    });
    let attempts = &mut runs[place].attempts;
    if attempts.last().is_none_or(|last| last.ended.is_some()) {
        attempts.push(Attempt { number, began, ended: None, failure: None });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(kind: EventKind, visit: u32, attempt: u32, at: i64, detail: Value) -> Event {
        let (job_id, stage) = ("j".into(), format!("s{visit}").into());
        let detail = Some(detail).filter(|detail| !detail.is_null());
        Event { job_id, kind, stage, visit, attempt, at: Timestamp(at), detail }
    }

    #[test]
    fn events_become_runs_with_attempts() {
        let failure = json!({"kind": "transient", "message": "busy"});
        let retried = json!({"failure": failure, "not_before": "2026-01-01T00:00:00Z"});
        let events = [
            event(EventKind::Created, 1, 1, 0, Value::Null),
            event(EventKind::Started, 1, 1, 10, Value::Null),
            event(EventKind::Retried, 1, 1, 20, retried),
            event(EventKind::Started, 1, 2, 30, Value::Null),
            event(EventKind::Completed, 1, 2, 45, json!({"response": {"a": 1}, "label": "ko"})),
            event(EventKind::Waiting, 2, 1, 46, Value::Null),
            event(EventKind::Completed, 2, 1, 90, json!({"answer": {"ok": true}, "by": "ada"})),
            event(EventKind::Started, 3, 1, 95, Value::Null),
        ];
        let now = serde_json::from_value(json!({"a": 1, "ok": true, "x": 0})).expect("params");
        let runs = runs(&events, &now, |_| ParamsMode::Merge);
        let told: Vec<_> = runs.iter().map(|run| (run.attempts.len(), run.last())).collect();
        assert_eq!(
            told,
            [(2, EventKind::Completed), (1, EventKind::Completed), (1, EventKind::Started)]
        );
        assert_eq!(runs[0].attempts[0].failure.as_ref().map(|one| &*one.message), Some("busy"));
        assert_eq!(runs[0].attempts[1].lasted(Timestamp(99)), Duration::from_millis(15));
        assert_eq!(runs[0].label.as_deref(), Some("ko"));
        assert_eq!(runs[1].by.as_deref(), Some("ada"));
        assert_eq!((runs[1].changes.list.len(), runs[1].changes.left), (1, 2));
    }

    #[test]
    fn stages_that_are_passed_over_are_no_attempts() {
        let mut passed = event(EventKind::Skipped, 1, 1, 5, Value::Null);
        passed.stage = "s0".into();
        let events = [
            event(EventKind::Created, 1, 1, 5, Value::Null),
            passed,
            event(EventKind::Waiting, 1, 1, 5, Value::Null),
        ];
        let runs = runs(&events, &Params::new(), |_| ParamsMode::Merge);
        assert_eq!((runs[0].attempts.len(), runs[0].last()), (1, EventKind::Waiting));
    }

    #[test]
    fn aborted_waits_are_aborted() {
        let events = [
            event(EventKind::Waiting, 1, 1, 5, Value::Null),
            event(EventKind::Aborted, 1, 1, 9, json!({"reason": "enough"})),
        ];
        let runs = runs(&events, &Params::new(), |_| ParamsMode::Merge);
        assert_eq!(runs[0].last(), EventKind::Aborted);
    }
}
