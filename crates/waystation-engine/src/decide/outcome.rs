//! From the outcome of an attempt to its settlement.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::{Event, EventKind, LogLine};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::Completion;
use waystation_core::id::{Label, PipelineName, StageId};
use waystation_core::journal::{self, Change, Entry};
use waystation_core::pipeline::{Onward, ParamsMode, Pipeline, Stage};
use waystation_core::settlement::{Delivery, Ended, Message, Next, Settlement};
use waystation_core::state::{JobState, Step, transition};

use super::hand_to;
use crate::definition::Definition;

/// An attempt that ended.
pub struct Attempt<'a> {
    /// The pipeline, in the job's version.
    pub definition: &'a Definition,
    /// The stage that ran.
    pub stage: &'a Stage,
    /// What was delivered.
    pub delivery: &'a Delivery,
    /// The contract as it was delivered.
    pub contract: Contract,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What it said.
    pub log: Vec<LogLine>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The handler is done.
    Completed(Completion),
    /// The handler failed, or was not let near the job.
    Failed(Failure),
    /// Somebody wanted the job aborted.
    Aborted(String),
    /// The engine ends before the handler does.
    HandedBack,
    /// The job begins at a later stage: it came here because whoever put it into the queue leaves
    /// it to the stages to pass it on.
    Skipped,
}

/// Decides what becomes of a job. `random` in `0.0..1.0` spreads retries; `bytes_max` is the
/// largest contract that the queue takes.
pub fn settle_outcome(
    mut attempt: Attempt<'_>,
    outcome: Outcome,
    random: f64,
    bytes_max: usize,
) -> Settlement {
    match outcome {
        Outcome::Completed(completion) => match complete(&mut attempt, completion, bytes_max) {
            Ok(way) => {
                let completed = attempt.event(EventKind::Completed, attempt.ended_at, way.detail);
                go(attempt, way.to, way.visit, way.body, completed)
            }
            Err(failure) => fail(attempt, failure),
        },
        Outcome::Failed(failure) => {
            let policy = &attempt.stage.retry;
            match policy.next_delay(&failure, attempt.contract.retry_count, random) {
                Some(delay) => {
                    let not_before = attempt.ended_at.plus(delay);
                    retry(attempt, failure, not_before, bytes_max)
                }
                None => fail(attempt, failure),
            }
        }
        Outcome::Aborted(reason) => abort(attempt, reason),
        Outcome::HandedBack => hand_back(attempt),
        Outcome::Skipped => skip(attempt),
    }
}

/// Whether a job passes this stage by, on its way to the one that it is to begin at.
pub fn passes_by(pipeline: &Pipeline, stage: &Stage, contract: &Contract) -> bool {
    let entry = contract.entry_stage.as_ref();
    entry.is_some_and(|entry| pipeline.is_before(&stage.id, entry))
}

/// Takes the job to the stage that it is to begin at, its contract as it came.
fn skip(attempt: Attempt<'_>) -> Settlement {
    let pipeline = &attempt.definition.pipeline;
    let mut contract = attempt.contract.clone();
    let Some(entry) = contract.entry_stage.clone() else { return hand_back(attempt) };
    contract.visit = next_visit(pipeline, &contract, &entry);
    contract.retry_count = 0;
    let here = attempt.event(EventKind::Skipped, attempt.ended_at, None);
    let on_the_way = pipeline.reached_from(&attempt.stage.id);
    let between = pipeline.before(&entry).filter(|stage| on_the_way.contains(*stage));
    let between: Vec<_> =
        between.map(|stage| Event { stage: stage.clone(), ..here.clone() }).collect();
    let (visit, body) = (contract.visit, contract.to_bytes());
    let mut settlement = go(attempt, Some(entry), visit, body, here);
    settlement.events.splice(1..1, between);
    settlement
}

/// A job that goes on or is complete.
struct Way {
    /// The contract's wire form from now on.
    body: Vec<u8>,
    /// Which stage run comes next.
    visit: u32,
    to: Option<StageId>,
    /// What the stage gave, and its label when it is not `ok`.
    detail: Option<Value>,
}

/// Takes the params out of the attempt's contract: whatever comes of it, they are needed no more.
fn complete(
    attempt: &mut Attempt<'_>,
    completion: Completion,
    bytes_max: usize,
) -> Result<Way, Failure> {
    let stage = attempt.stage;
    check_output(stage, &completion)?;
    let before = &mut attempt.contract;
    let visit = before.visit;
    let mut contract = Contract {
        retry_count: 0,
        params: std::mem::take(&mut before.params),
        other: std::mem::take(&mut before.other),
        ..before.clone()
    };
    let detail = told(&completion);
    match stage.params {
        ParamsMode::Merge => contract.params.extend(completion.output),
        ParamsMode::Replace => contract.params = completion.output,
    }
    let pipeline = &attempt.definition.pipeline;
    let exit = contract.exit_stage.as_ref();
    let onward = pipeline
        .onward(&stage.id, exit, &completion.label, &contract.params)
        .map_err(|error| Failure::new(ErrorKind::Contract, error.to_string()))?;
    let to = match onward {
        Onward::Done => None,
        Onward::To(next) => Some(next),
    };
    contract.visit = to.as_ref().map_or(visit, |next| next_visit(pipeline, &contract, next));
    let body = contract.to_bytes();
    if body.len() > bytes_max {
        return Err(Failure::new(
            ErrorKind::Contract,
            format!(
                "the contract would be {} bytes after stage `{}`, more than the {bytes_max} \
                 allowed (hint: `offload: true` at the stage, or a blob and its reference)",
                body.len(),
                stage.id
            ),
        ));
    }
    Ok(Way { body, visit: contract.visit, to, detail })
}

/// The number of the next stage run. A contract that came without any of our fields goes on without
/// them where it can: its stage alone names the run where no job comes back to.
fn next_visit(pipeline: &Pipeline, contract: &Contract, next: &StageId) -> u32 {
    let plain = contract.pipeline.is_none() && contract.visit == 1;
    if plain && !pipeline.is_on_circle(next) { 1 } else { contract.visit + 1 }
}

/// What the event of a completed stage tells beside that.
fn told(completion: &Completion) -> Option<Value> {
    let mut detail = Params::new();
    if completion.label != Label::ok() {
        detail.insert("label".to_owned(), json!(completion.label));
    }
    if !completion.output.is_empty() {
        detail.insert("response".to_owned(), Value::Object(completion.output.clone()));
    }
    (!detail.is_empty()).then_some(Value::Object(detail))
}

/// A handler returns exactly the keys that its stage declares. Other labels than `ok` tell that
/// the work was not done, so that they may bring less.
fn check_output(stage: &Stage, completion: &Completion) -> Result<(), Failure> {
    let Some(declared) = &stage.output_params else { return Ok(()) };
    if completion.label != Label::ok() {
        return Ok(());
    }
    let declared: BTreeSet<&str> = declared.iter().map(String::as_str).collect();
    let returned: BTreeSet<&str> = completion.output.keys().map(String::as_str).collect();
    let missing: Vec<_> = declared.difference(&returned).copied().collect();
    let extra: Vec<_> = returned.difference(&declared).copied().collect();
    if missing.is_empty() && extra.is_empty() {
        return Ok(());
    }
    let list = |keys: Vec<&str>| if keys.is_empty() { "none".into() } else { keys.join(", ") };
    Err(Failure::new(
        ErrorKind::Contract,
        format!(
            "stage `{}` returned other keys than its output_params: missing {}; extra {}",
            stage.id,
            list(missing),
            list(extra)
        ),
    ))
}

/// Ends the attempt with this event, and takes the job on.
fn go(
    attempt: Attempt<'_>,
    to: Option<StageId>,
    visit: u32,
    body: Vec<u8>,
    last: Event,
) -> Settlement {
    let definition = attempt.definition;
    let priority = attempt.delivery.priority;
    let Some(stage) = to else {
        let next = Next::End { body, failure: None };
        return attempt.settlement(Step::Complete, next, None, last);
    };
    let (step, next) = hand_to(definition, &stage, body, priority);
    let waiting = (step == Step::Park).then(|| Event {
        kind: EventKind::Waiting,
        stage: stage.clone(),
        visit,
        attempt: 1,
        detail: None,
        ..last.clone()
    });
    let mut settlement = attempt.settlement(step, next, Some(stage), last);
    settlement.events.extend(waiting);
    settlement
}

fn retry(
    attempt: Attempt<'_>,
    failure: Failure,
    not_before: Timestamp,
    bytes_max: usize,
) -> Settlement {
    let mut contract = attempt.contract.clone();
    contract.retry_count += 1;
    let body = contract.to_bytes();
    if body.len() > bytes_max {
        // Its own count made it too large, or the limit was lowered since it came.
        return fail(attempt, failure);
    }
    let stage = &attempt.stage.id;
    let next = Next::Enqueue(Message {
        queue: attempt.definition.pipeline.queue_of(attempt.stage),
        stage: stage.clone(),
        priority: attempt.delivery.priority,
        not_before: Some(not_before),
        body,
    });
    let detail = json!({ "failure": failure, "not_before": not_before.to_string() });
    let retried = attempt.event(EventKind::Retried, attempt.ended_at, Some(detail));
    attempt.settlement(Step::Retry, next, None, retried)
}

fn fail(attempt: Attempt<'_>, failure: Failure) -> Settlement {
    let failed = attempt.event(EventKind::Failed, attempt.ended_at, Some(json!(failure)));
    let next = attempt.end_with(failure);
    attempt.settlement(Step::Fail, next, None, failed)
}

fn abort(attempt: Attempt<'_>, reason: String) -> Settlement {
    let detail = json!({ "reason": reason });
    let aborted = attempt.event(EventKind::Aborted, attempt.ended_at, Some(detail));
    let failure = Failure::new(ErrorKind::Aborted, reason);
    let next = attempt.end_with(failure);
    attempt.settlement(Step::Abort, next, None, aborted)
}

fn hand_back(attempt: Attempt<'_>) -> Settlement {
    let handed_back = attempt.event(EventKind::HandedBack, attempt.ended_at, None);
    attempt.settlement(Step::HandBack, Next::HandBack, None, handed_back)
}

impl Attempt<'_> {
    fn event(&self, kind: EventKind, at: Timestamp, detail: Option<serde_json::Value>) -> Event {
        Event {
            job_id: self.contract.job_id.clone(),
            kind,
            stage: self.stage.id.clone(),
            visit: self.contract.visit,
            attempt: self.contract.retry_count + 1,
            at,
            detail,
        }
    }

    /// The job ends as it was delivered, and keeps this failure with where it happened.
    fn end_with(&self, failure: Failure) -> Next {
        let failure = failure.at(&self.stage.id, self.contract.retry_count + 1);
        Next::End { body: self.delivery.body.clone(), failure: Some(failure) }
    }

    fn settlement(self, step: Step, next: Next, to: Option<StageId>, last: Event) -> Settlement {
        let begins = last.kind != EventKind::Skipped;
        let started = begins.then(|| self.event(EventKind::Started, self.started_at, None));
        Settlement {
            job_id: self.contract.job_id,
            pipeline: self.definition.pipeline.name.clone(),
            pipeline_version: self.definition.version,
            ended: Ended::Delivery(self.delivery.lease.clone()),
            next,
            state: after(step),
            stage: to.unwrap_or_else(|| self.stage.id.clone()),
            events: started.into_iter().chain([last]).collect(),
            log: self.log,
        }
    }
}

/// What the journal is told of an attempt that goes on.
pub fn running(
    contract: &Contract,
    stage: &Stage,
    origin: (PipelineName, u32),
    at: Timestamp,
) -> Entry {
    let (visit, attempt) = (contract.visit, contract.retry_count + 1);
    let event = Event {
        job_id: contract.job_id.clone(),
        kind: EventKind::Started,
        stage: stage.id.clone(),
        visit,
        attempt,
        at,
        detail: None,
    };
    Entry {
        job_id: contract.job_id.clone(),
        origin: Some(origin),
        step: journal::Step { stage: stage.id.clone(), visit: Some(visit), attempt, at },
        events: vec![event],
        log: Vec::new(),
        change: Change::Running,
    }
}

/// The state after a step of a job that runs, as every job with a delivery does.
fn after(step: Step) -> JobState {
    // Each step that this module takes is allowed from `running`; the tests hold that.
    transition(JobState::Running, step).unwrap_or(JobState::Failed)
}

/// The first required param that is absent, null or an empty text, as a failure.
pub fn check_required(stage: &Stage, params: &Params) -> Result<(), Failure> {
    let mut missing = Vec::new();
    for name in &stage.required_params {
        match params.get(name) {
            None => missing.push(format!("`{name}` is absent")),
            Some(serde_json::Value::Null) => missing.push(format!("`{name}` is null")),
            Some(serde_json::Value::String(text)) if text.is_empty() => {
                missing.push(format!("`{name}` is an empty text"));
            }
            Some(_) => {}
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!("stage `{}` requires params: {}", stage.id, missing.join(", "));
    Err(Failure::new(ErrorKind::MissingParam, message))
}

#[cfg(test)]
mod tests {
    use waystation_core::pipeline::Route;

    use super::*;

    #[test]
    fn every_step_taken_here_is_allowed_from_running() {
        for step in [
            Step::Complete,
            Step::Enqueue,
            Step::Park,
            Step::Retry,
            Step::Fail,
            Step::Abort,
            Step::HandBack,
        ] {
            assert!(transition(JobState::Running, step).is_ok(), "{step}");
        }
    }

    #[test]
    fn plain_contract_stays_plain_where_no_job_comes_back() {
        let stages = ["detect", "classify", "predict"].map(|name| Stage::new(name, "x"));
        let mut pipeline = Pipeline::chain("images", stages.to_vec());
        let plain = Contract::new("a".into(), Params::new());
        let ours = Contract { pipeline: Some("images".into()), ..plain.clone() };
        let counted = Contract { visit: 2, ..plain.clone() };
        let visits = |pipeline: &Pipeline| {
            [&plain, &ours, &counted]
                .map(|contract| next_visit(pipeline, contract, &"classify".into()))
        };
        assert_eq!(visits(&pipeline), [1, 2, 3]);
        pipeline.routes.push(Route::new("predict", "detect"));
        assert_eq!(visits(&pipeline), [2, 2, 3]);
    }

    #[test]
    fn required_params_are_named_all_at_once() {
        let mut stage = Stage::new("detect", "x");
        stage.required_params = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        let params = json!({"a": null, "b": "", "c": 0});
        let failure = check_required(&stage, params.as_object().expect("object"));
        let failure = failure.expect_err("three are missing");
        assert_eq!(failure.kind, ErrorKind::MissingParam);
        assert_eq!(
            failure.message,
            "stage `detect` requires params: `a` is null, `b` is an empty text, `d` is absent"
        );
    }
}
