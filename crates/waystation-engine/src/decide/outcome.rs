//! From the outcome of an attempt to its settlement.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::condition::Condition;
use waystation_core::contract::Contract;
use waystation_core::event::{Event, EventKind, LogLine};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::Completion;
use waystation_core::id::{Label, PipelineName, StageId};
use waystation_core::journal::{self, Change, Entry};
use waystation_core::pipeline::{OnKeyFailure, OnStageFailure, ParamsMode, Pipeline, Stage};
use waystation_core::settlement::{Delivery, Ended, Message, Next, Settlement, Turn};
use waystation_core::state::{JobState, Step, transition};

use super::deadline::no_time_left;
use super::fan_out::{self, Descent};
use super::onward::{Gone, Leaving};
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
    /// Who made it, where that is to be told with its beginning.
    pub worker: Option<Value>,
}

/// How an attempt ended.
#[derive(Clone)]
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
    /// The stage's own condition does not hold: the job goes on as it came.
    PassedBy,
    /// The job is a child, and has come where its parent waits for it: whoever put it into the
    /// queue does not know of that.
    Arrived,
    /// The stage leaves its work to another pipeline.
    Descends(Descent),
}

impl Outcome {
    /// The outcome in a word.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Completed(_) => "completed",
            Self::Failed(_) => "failed",
            Self::Aborted(_) => "aborted",
            Self::HandedBack => "handed_back",
            Self::Skipped | Self::PassedBy | Self::Arrived => "skipped",
            Self::Descends(_) => "descends",
        }
    }

    /// Why it failed, when it did.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            _ => None,
        }
    }
}

/// Decides what becomes of a job. `random` in `0.0..1.0` spreads retries; `bytes_max` is the
/// largest contract that the queue takes.
pub fn settle_outcome(
    attempt: Attempt<'_>,
    outcome: Outcome,
    random: f64,
    bytes_max: usize,
) -> Settlement {
    match outcome {
        Outcome::Completed(completion) => complete(attempt, completion, bytes_max),
        Outcome::Failed(failure) => {
            let policy = &attempt.stage.retry;
            let delay = policy.next_delay(&failure, attempt.contract.retry_count, random);
            let Some(delay) = delay else { return give_up(attempt, failure, bytes_max) };
            let not_before = attempt.ended_at.plus(delay);
            match no_time_left(&attempt.contract, &failure, not_before) {
                Some(failure) => fail(attempt, failure),
                None => retry(attempt, failure, not_before, bytes_max),
            }
        }
        Outcome::Aborted(reason) => abort(attempt, reason),
        Outcome::HandedBack => hand_back(attempt),
        Outcome::Skipped => skip(attempt, bytes_max),
        Outcome::PassedBy => pass_by(attempt, bytes_max),
        Outcome::Arrived => arrive(attempt),
        Outcome::Descends(descent) => descend(attempt, &descent, bytes_max),
    }
}

/// Whether a job passes this stage by, on its way to the one that it is to begin at.
pub fn passes_by(pipeline: &Pipeline, stage: &Stage, contract: &Contract) -> bool {
    let entry = contract.entry_stage.as_ref();
    entry.is_some_and(|entry| pipeline.is_before(&stage.id, entry))
}

/// Takes the job to the stage that it is to begin at, its contract as it came.
fn skip(attempt: Attempt<'_>, bytes_max: usize) -> Settlement {
    let pipeline = &attempt.definition.pipeline;
    let mut contract = attempt.contract.clone();
    let Some(entry) = contract.entry_stage.clone() else { return hand_back(attempt) };
    contract.retry_count = 0;
    let here = attempt.event(EventKind::Skipped, attempt.ended_at, None);
    let on_the_way = pipeline.reached_from(&attempt.stage.id);
    let between = pipeline.before(&entry).filter(|stage| on_the_way.contains(*stage));
    let between: Vec<_> =
        between.map(|stage| Event { stage: stage.clone(), ..here.clone() }).collect();
    match attempt.leaving(&Label::ok(), bytes_max).to(&entry, contract) {
        Ok(gone) => {
            let mut settlement = go(attempt, gone, here);
            settlement.events.splice(1..1, between);
            settlement
        }
        Err(error) => fail(attempt, Failure::new(ErrorKind::Contract, error.to_string())),
    }
}

/// Lets the job go on as it came.
fn pass_by(attempt: Attempt<'_>, bytes_max: usize) -> Settlement {
    let condition = attempt.stage.when.as_ref().map(Condition::source);
    let detail = json!({ "when": condition });
    let here = attempt.event(EventKind::Skipped, attempt.ended_at, Some(detail));
    go_on_as_it_came(attempt, here, bytes_max)
}

/// What becomes of a job that failed for good: where the stage lets failures pass, it goes on as it
/// came. Whoever takes workers down stays where it is; what has no time left has none elsewhere.
fn give_up(attempt: Attempt<'_>, failure: Failure, bytes_max: usize) -> Settlement {
    let passes = attempt.stage.on_failure == OnStageFailure::Pass
        && failure.kind != ErrorKind::Poison
        && no_time_left(&attempt.contract, &failure, attempt.ended_at).is_none();
    if !passes {
        return fail(attempt, failure);
    }
    let failure = failure.at(&attempt.stage.id, attempt.contract.retry_count + 1);
    let detail = json!({ "failure": failure });
    let completed = attempt.event(EventKind::Completed, attempt.ended_at, Some(detail));
    go_on_as_it_came(attempt, completed, bytes_max)
}

fn go_on_as_it_came(attempt: Attempt<'_>, last: Event, bytes_max: usize) -> Settlement {
    let contract = attempt.contract.clone();
    match attempt.leaving(&Label::ok(), bytes_max).take_on(contract) {
        Ok(gone) => {
            let detail = with_children(last.detail.clone(), gone.children.len());
            go(attempt, gone, Event { detail, ..last })
        }
        Err(error) => fail(attempt, Failure::new(ErrorKind::Contract, error.to_string())),
    }
}

/// Ends a child that has come to its join.
fn arrive(attempt: Attempt<'_>) -> Settlement {
    let here = attempt.event(EventKind::Skipped, attempt.ended_at, None);
    let next = Next::End { body: attempt.delivery.body.clone(), failure: None };
    attempt.settlement(Step::Complete, next, None, here)
}

/// Has a child go through another pipeline.
fn descend(attempt: Attempt<'_>, descent: &Descent, bytes_max: usize) -> Settlement {
    let (label, contract) = (Label::ok(), attempt.contract.clone());
    match fan_out::descend(attempt.leaving(&label, bytes_max), descent, contract) {
        Ok(gone) => {
            let mut settlement = attempt.settlement(gone.step, gone.next, None, gone.waiting);
            settlement.children = gone.children;
            settlement
        }
        Err(error) => fail(attempt, Failure::new(ErrorKind::Contract, error.to_string())),
    }
}

/// Takes the params out of the attempt's contract: whatever comes of it, they are needed no more.
fn complete(mut attempt: Attempt<'_>, completion: Completion, bytes_max: usize) -> Settlement {
    let stage = attempt.stage;
    if let Err(failure) = check_output(stage, &completion) {
        return give_up(attempt, failure, bytes_max);
    }
    let before = &mut attempt.contract;
    let mut contract = Contract {
        params: std::mem::take(&mut before.params),
        other: std::mem::take(&mut before.other),
        ..before.clone()
    };
    let detail = told(&completion);
    match stage.params {
        ParamsMode::Merge => contract.params.extend(completion.output),
        ParamsMode::Replace => contract.params = completion.output,
    }
    match attempt.leaving(&completion.label, bytes_max).take_on(contract) {
        Ok(gone) => {
            let detail = with_children(detail, gone.children.len());
            let completed = attempt.event(EventKind::Completed, attempt.ended_at, detail);
            go(attempt, gone, completed)
        }
        Err(error) => fail(attempt, Failure::new(ErrorKind::Contract, error.to_string())),
    }
}

/// The same, with how many children the stage made.
fn with_children(detail: Option<Value>, children: usize) -> Option<Value> {
    if children == 0 {
        return detail;
    }
    let mut fields = match detail {
        Some(Value::Object(fields)) => fields,
        _ => Params::new(),
    };
    fields.insert(Event::CHILDREN.to_owned(), json!(children));
    Some(Value::Object(fields))
}

/// What the event of a completed stage tells beside that.
pub fn told(completion: &Completion) -> Option<Value> {
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
fn go(attempt: Attempt<'_>, gone: Gone, last: Event) -> Settlement {
    let mut settlement = attempt.settlement(gone.step, gone.next, Some(gone.stage), last);
    settlement.events.extend(gone.waiting);
    settlement.children = gone.children;
    settlement
}

fn retry(
    attempt: Attempt<'_>,
    failure: Failure,
    not_before: Timestamp,
    bytes_max: usize,
) -> Settlement {
    let mut contract = attempt.contract.clone();
    // What children gave is taken from them again.
    if let Some(delivered) = contract.gathered.and_then(|_| attempt.delivered()) {
        contract = delivered;
    }
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
        turn: attempt
            .delivery
            .key
            .clone()
            .map(|key| Turn { key, keeps_place: blocks(attempt.stage) }),
        body,
    });
    let detail = json!({ "failure": failure, "not_before": not_before.to_string() });
    let retried = attempt.event(EventKind::Retried, attempt.ended_at, Some(detail));
    attempt.settlement(Step::Retry, next, None, retried)
}

/// Whether what came behind a job waits while it is tried again.
fn blocks(stage: &Stage) -> bool {
    stage.key.as_ref().is_none_or(|keyed| keyed.on_failure == OnKeyFailure::Block)
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

    fn settlement(
        self,
        step: Step,
        next: Next,
        to: Option<StageId>,
        last: impl Into<Option<Event>>,
    ) -> Settlement {
        let last = last.into();
        let begins = last.as_ref().is_none_or(|last| last.kind != EventKind::Skipped);
        let started =
            begins.then(|| self.event(EventKind::Started, self.started_at, self.worker.clone()));
        Settlement {
            job_id: self.contract.job_id,
            pipeline: self.definition.pipeline.name.clone(),
            pipeline_version: self.definition.version,
            ended: Ended::Delivery(self.delivery.lease.clone()),
            next,
            state: after(step),
            stage: to.unwrap_or_else(|| self.stage.id.clone()),
            events: started.into_iter().chain(last).collect(),
            log: self.log,
            children: Vec::new(),
        }
    }

    /// The contract as it came.
    fn delivered(&self) -> Option<Contract> {
        Contract::parse(&self.delivery.body).ok()
    }

    fn leaving<'a>(&'a self, label: &'a Label, bytes_max: usize) -> Leaving<'a> {
        Leaving {
            graph: self.definition,
            stage: &self.stage.id,
            label,
            priority: self.delivery.priority,
            at: self.ended_at,
            bytes_max,
        }
    }
}

/// What the journal is told of an attempt that goes on.
pub fn running(
    contract: &Contract,
    stage: &StageId,
    origin: (PipelineName, u32),
    at: Timestamp,
) -> Entry {
    let (visit, attempt) = (contract.visit, contract.retry_count + 1);
    let event = Event {
        job_id: contract.job_id.clone(),
        kind: EventKind::Started,
        stage: stage.clone(),
        visit,
        attempt,
        at,
        detail: None,
    };
    Entry {
        job_id: contract.job_id.clone(),
        origin: Some(origin),
        step: journal::Step { stage: stage.clone(), visit: Some(visit), attempt, at },
        events: vec![event],
        log: Vec::new(),
        change: Change::Running,
        children: Vec::new(),
    }
}

/// The state after a step of a job that runs, as every job with a delivery does.
fn after(step: Step) -> JobState {
    // Each step that this module takes is allowed from `running`; the tests hold that.
    transition(JobState::Running, step).unwrap_or(JobState::Failed)
}

/// Whether a stage is to work at a job, by its own condition.
pub fn is_wanted(stage: &Stage, params: &Params) -> Result<bool, Failure> {
    let Some(condition) = &stage.when else { return Ok(true) };
    condition.holds(params).map_err(|error| {
        Failure::new(ErrorKind::Contract, format!("`when` of stage `{}`: {error}", stage.id))
    })
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
