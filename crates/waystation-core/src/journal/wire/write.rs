//! Writes what our own workers tell the journal.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::Place;
use super::child::Child;
use crate::clock::Timestamp;
use crate::event::{Event, EventKind, LogLine};
use crate::failure::Failure;
use crate::id::{JobId, PipelineName, QueueName, StageId};
use crate::journal::{Change, Entry};
use crate::key::Key;
use crate::settlement::{NewJob, Next, Priority, Quorum, Settlement, Start};
use crate::state::JobState;

/// An event on its way to the wire.
struct Line<'a> {
    event: &'a Event,
    job_id: &'a JobId,
    origin: Option<(&'a PipelineName, u32)>,
    /// What became of the job is told by the event that follows.
    more: bool,
    job: Option<&'a Landing<'a>>,
}

/// What became of the job.
#[derive(serde::Serialize)]
struct Landing<'a> {
    state: &'static str,
    stage: &'a StageId,
    place: Place,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'a QueueName>,
    #[serde(skip_serializing_if = "is_plain")]
    priority: Priority,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a Key>,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_before: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<&'a Failure>,
    /// The contract as it is now.
    #[serde(skip_serializing_if = "Option::is_none")]
    contract: Option<&'a RawValue>,
    /// The body, when it is no JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "<[LogLine]>::is_empty")]
    log: &'a [LogLine],
    /// How many of its children are waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    quorum: Option<Quorum>,
    /// The jobs that were made with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    children: Vec<Child>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_plain(priority: &Priority) -> bool {
    *priority == 0
}

/// The events of what a broker's worker tells: one JSON object each, in their order.
pub fn encode(entry: &Entry) -> Vec<Vec<u8>> {
    let origin = entry.origin.as_ref().map(|(pipeline, version)| (pipeline, *version));
    let landing = match &entry.change {
        Change::Landed { state, stage, next } => {
            let landing = Landing::of(*state, stage, next, &entry.log);
            Some(landing.with_children(&entry.children))
        }
        Change::Created { next } => Some(Landing::born(&entry.step.stage, next)),
        Change::Running | Change::Part | Change::Told { .. } => None,
    };
    lines(&entry.job_id, origin, &entry.events, landing.as_ref())
}

/// The events of a settlement that a broker carries out.
pub fn encode_settlement(settlement: &Settlement, now: Timestamp) -> Vec<Vec<u8>> {
    if settlement.job_id.as_str().is_empty() {
        return encode(&Entry::of(settlement, now));
    }
    let Settlement { job_id, pipeline, pipeline_version, state, stage, next, .. } = settlement;
    let landing = Landing::of(*state, stage, next, &settlement.log);
    let landing = landing.with_children(&settlement.children);
    lines(job_id, Some((pipeline, *pipeline_version)), &settlement.events, Some(&landing))
}

/// The events of a job that is submitted straight to the broker.
pub fn encode_created(job: &NewJob) -> Vec<Vec<u8>> {
    let (stage, next) = match &job.start {
        Start::Queue(message) => (&message.stage, Next::Enqueue(message.clone())),
        Start::Inbox(task) => (&task.stage, Next::Park(task.clone())),
    };
    let landing = Landing::born(stage, &next);
    lines(&job.job_id, Some((&job.pipeline, job.pipeline_version)), &job.events, Some(&landing))
}

fn lines(
    job_id: &JobId,
    origin: Option<(&PipelineName, u32)>,
    events: &[Event],
    landing: Option<&Landing<'_>>,
) -> Vec<Vec<u8>> {
    let last = events.len().saturating_sub(1);
    let line = |(place, event): (usize, &Event)| {
        let job = landing.filter(|_| place == last);
        let more = place != last && event.kind != EventKind::Started;
        to_bytes(&Line { event, job_id, origin, more, job })
    };
    events.iter().enumerate().map(line).collect()
}

fn to_bytes(line: &Line<'_>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(if line.job.is_some() { 1_024 } else { 256 });
    // Texts, numbers and checked JSON: writing them into a vector cannot fail.
    let _ = serde_json::to_writer(&mut bytes, line);
    bytes
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { event, origin, .. } = self;
        let failure = failure_of(event);
        let detail = Detail::of(event, failure.as_ref());
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("event", event.kind.as_str())?;
        map.serialize_entry("job_id", self.job_id)?;
        map.serialize_entry("stage", &event.stage)?;
        map.serialize_entry("timestamp", &event.at.to_string())?;
        map.serialize_entry("attempt", &event.attempt)?;
        map.serialize_entry("visit", &event.visit)?;
        if let Some((pipeline, version)) = origin {
            map.serialize_entry("pipeline", pipeline)?;
            map.serialize_entry("pipeline_version", version)?;
        }
        if let Some(response) = detail.response {
            map.serialize_entry("response", response)?;
        }
        if let Some(Failure { kind, message, .. }) = &failure {
            let (kind, retryable) = (kind.as_str(), kind.retryable());
            let error = json!({ "type": kind, "message": message, "retryable": retryable });
            map.serialize_entry("error", &error)?;
        }
        if let Some(rest) = &detail.rest {
            map.serialize_entry("detail", rest)?;
        }
        if self.more {
            map.serialize_entry("more", &true)?;
        }
        if let Some(job) = self.job {
            map.serialize_entry("job", job)?;
        }
        map.end()
    }
}

/// The detail of an event, with what has a field of its own on the wire taken out.
struct Detail<'a> {
    response: Option<&'a Value>,
    rest: Option<Cow<'a, Value>>,
}

impl<'a> Detail<'a> {
    fn of(event: &'a Event, failure: Option<&Failure>) -> Self {
        let whole = || event.detail.as_ref().map(Cow::Borrowed);
        match (&event.detail, failure) {
            (Some(Value::Object(fields)), None) if event.kind == EventKind::Completed => {
                let others = fields.iter().filter(|(name, _)| *name != "response");
                let others: Map<_, _> =
                    others.map(|(name, value)| (name.clone(), value.clone())).collect();
                let rest = (!others.is_empty()).then(|| Cow::Owned(Value::Object(others)));
                Self { response: fields.get("response"), rest }
            }
            // What `error` says whole need not be said twice.
            (Some(detail), Some(Failure { kind, message, .. }))
                if *detail == json!(Failure::new(*kind, message.as_str())) =>
            {
                Self { response: None, rest: None }
            }
            (Some(Value::Object(fields)), _) if fields.is_empty() => {
                Self { response: None, rest: None }
            }
            _ => Self { response: None, rest: whole() },
        }
    }
}

/// The failure that an event of ours tells of.
fn failure_of(event: &Event) -> Option<Failure> {
    let detail = event.detail.as_ref()?;
    let failure = match event.kind {
        EventKind::Failed => detail,
        EventKind::Retried => detail.get("failure")?,
        _ => return None,
    };
    serde::Deserialize::deserialize(failure).ok()
}

impl<'a> Landing<'a> {
    /// What became of a job that was submitted to the broker itself.
    fn born(stage: &'a StageId, next: &'a Next) -> Self {
        let parked = matches!(next, Next::Park(_));
        let state = if parked { JobState::Waiting } else { JobState::Queued };
        Self::of(state, stage, next, &[])
    }

    fn with_children(mut self, children: &[NewJob]) -> Self {
        self.children = children.iter().filter_map(Child::of).collect();
        self
    }

    fn of(state: JobState, stage: &'a StageId, next: &'a Next, log: &'a [LogLine]) -> Self {
        let mut landing = Self {
            state: state.as_str(),
            stage,
            place: Place::Back,
            queue: None,
            priority: 0,
            key: None,
            not_before: None,
            failure: None,
            contract: None,
            text: None,
            log,
            quorum: None,
            children: Vec::new(),
        };
        if let Next::Await(_, quorum) = next {
            landing.quorum = Some(*quorum);
        }
        let body = match next {
            Next::Enqueue(message) | Next::Await(message, _) => {
                let waits = landing.quorum.is_some();
                landing.place = if waits { Place::Join } else { Place::Queue };
                landing.queue = Some(&message.queue);
                landing.priority = message.priority;
                landing.key = message.turn.as_ref().map(|turn| &turn.key);
                landing.not_before = message.not_before.map(|moment| moment.0);
                &message.body
            }
            Next::Park(task) => {
                landing.place = Place::Inbox;
                &task.body
            }
            Next::End { body, failure } => {
                landing.place = Place::End;
                landing.failure = failure.as_ref();
                body
            }
            Next::HandBack | Next::HandOver | Next::Drop => return landing,
        };
        match serde_json::from_slice(body) {
            Ok(contract) => landing.contract = Some(contract),
            Err(_) => landing.text = Some(String::from_utf8_lossy(body)),
        }
        landing
    }
}
