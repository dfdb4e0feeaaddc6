//! The wire form of the journal: JSON events that a foreign program can read and write.
//!
//! `event`, `job_id`, `stage`, `timestamp`, `attempt`, and `response` or `error` are common to all
//! who speak it. The rest is ours, optional and additive: `visit`, `pipeline`, `pipeline_version`,
//! `detail`, and, with the last event of a settlement, `job`: what became of the job.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Change, Entry, Step};
use crate::Params;
use crate::clock::Timestamp;
use crate::event::{Event, EventKind, LogLine};
use crate::failure::{ErrorKind, Failure};
use crate::id::{PipelineName, StageId};
use crate::settlement::{Message, NewJob, Next, Priority, Start, Task};
use crate::state::JobState;

/// Why a post of the journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is not the JSON that events are.
    #[error("journal entry is not an event or a list of events: {0}")]
    Json(#[from] serde_json::Error),
    /// A field holds what it must not.
    #[error("journal entry of job `{job_id}`: `{field}` is {value}, not {expected}")]
    Field {
        /// The job.
        job_id: String,
        /// The field.
        field: &'static str,
        /// What it holds.
        value: String,
        /// What it should have held.
        expected: &'static str,
    },
}

#[derive(Serialize, Deserialize)]
struct WireEvent {
    event: String,
    job_id: String,
    #[serde(default)]
    stage: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    visit: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pipeline: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pipeline_version: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<WireError>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<Value>,
    /// What became of the job is told by the event that follows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    more: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    job: Option<WireJob>,
}

#[derive(Serialize, Deserialize)]
struct WireError {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retryable: Option<bool>,
}

/// What became of the job.
#[derive(Serialize, Deserialize)]
struct WireJob {
    state: String,
    stage: String,
    place: Place,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<String>,
    #[serde(default, skip_serializing_if = "is_plain")]
    priority: Priority,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    /// The contract as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contract: Option<Box<RawValue>>,
    /// The body, when it is no JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    log: Vec<LogLine>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Place {
    Queue,
    Inbox,
    End,
    /// Where it was: the delivery was handed back.
    Back,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_plain(priority: &Priority) -> bool {
    *priority == 0
}

/// The posts' events of what was settled: one JSON object each, in their order.
pub fn encode(entry: &Entry) -> Vec<Vec<u8>> {
    let last = entry.events.len().saturating_sub(1);
    let events = entry.events.iter().enumerate();
    events
        .map(|(place, event)| {
            let mut wire = WireEvent::of(event, entry.origin.as_ref());
            if place == last {
                wire.job = WireJob::of(entry);
            } else if event.kind != EventKind::Started {
                wire.more = true;
            }
            to_bytes(&wire)
        })
        .collect()
}

/// The event of a job that is submitted straight to the broker.
pub fn encode_created(job: &NewJob) -> Vec<Vec<u8>> {
    let next = match &job.start {
        Start::Queue(message) => Next::Enqueue(message.clone()),
        Start::Inbox(task) => Next::Park(task.clone()),
    };
    let first = job.events.first();
    let stage = match &job.start {
        Start::Queue(message) => &message.stage,
        Start::Inbox(task) => &task.stage,
    };
    encode(&Entry {
        job_id: job.job_id.clone(),
        origin: Some((job.pipeline.clone(), job.pipeline_version)),
        step: Step {
            stage: stage.clone(),
            visit: Some(1),
            attempt: 1,
            at: first.map_or(Timestamp(0), |event| event.at),
        },
        events: job.events.clone(),
        log: Vec::new(),
        change: Change::Created { next },
    })
}

/// The entries of a post: of one event, or of a list of them. Events of one settlement follow each
/// other, and become one entry. Progress is passed over: it is not what the journal is for.
pub fn decode(post: &[u8], now: Timestamp) -> Result<Vec<Entry>, Unreadable> {
    Ok(group(events(post)?, now)?.into_iter().map(|(entry, _)| entry).collect())
}

/// The part of a post that its entry at this place was read from: a post of its own.
pub fn part(post: &[u8], place: usize) -> Result<Vec<u8>, Unreadable> {
    let texts: Vec<&RawValue> = events(post)?;
    let entries = group(events(post)?, Timestamp(0))?;
    let range = entries.into_iter().nth(place).map_or(0..0, |(_, range)| range);
    Ok(match &texts[range] {
        [one] => one.get().as_bytes().to_vec(),
        several => serde_json::to_vec(several)?,
    })
}

/// The events of a post, each by itself.
fn events<'a, T: Deserialize<'a>>(post: &'a [u8]) -> Result<Vec<T>, Unreadable> {
    let start = post.iter().find(|byte| !byte.is_ascii_whitespace());
    Ok(match start {
        Some(b'[') => serde_json::from_slice(post)?,
        _ => vec![serde_json::from_slice(post)?],
    })
}

/// Makes entries of events, each with where its events are among them.
fn group(wires: Vec<WireEvent>, now: Timestamp) -> Result<Vec<(Entry, Range<usize>)>, Unreadable> {
    let mut entries: Vec<(Entry, Range<usize>)> = Vec::new();
    let mut open = false;
    let told = wires.into_iter().enumerate().filter(|(_, wire)| wire.event != "progress");
    for (place, wire) in told {
        let landed = wire.job.is_some();
        let mut entry = wire.into_entry(now)?;
        match entries.last_mut().filter(|(last, _)| open && last.job_id == entry.job_id) {
            Some((last, range)) if entry.step.visit.is_some() => {
                last.events.append(&mut entry.events);
                range.end = place + 1;
                if landed {
                    last.log = entry.log;
                    last.change = entry.change;
                }
            }
            _ => entries.push((entry, place..place + 1)),
        }
        open = !landed;
    }
    for (entry, _) in &mut entries {
        entry.note_birth();
    }
    Ok(entries)
}

fn to_bytes(wire: &WireEvent) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    // Texts, numbers and checked JSON: writing them into a vector cannot fail.
    let _ = serde_json::to_writer(&mut bytes, wire);
    bytes
}

impl WireEvent {
    fn of(event: &Event, origin: Option<&(PipelineName, u32)>) -> Self {
        let mut detail = event.detail.clone();
        let response = match (&mut detail, event.kind) {
            (Some(Value::Object(fields)), EventKind::Completed) => fields.shift_remove("response"),
            _ => None,
        };
        let error = failure_of(event).map(|failure| WireError {
            kind: Some(failure.kind.as_str().to_owned()),
            message: failure.message,
            retryable: Some(failure.kind.retryable()),
        });
        Self {
            event: event.kind.as_str().to_owned(),
            job_id: event.job_id.to_string(),
            stage: Some(event.stage.to_string()),
            timestamp: Some(event.at.to_string()),
            attempt: Some(event.attempt),
            visit: Some(event.visit),
            pipeline: origin.map(|(pipeline, _)| pipeline.to_string()),
            pipeline_version: origin.map(|(_, version)| *version),
            response,
            // What `error` says whole need not be said twice.
            detail: detail.filter(|detail| {
                let told = error.as_ref().is_some_and(|error| json!(error.failure()) == *detail);
                *detail != json!({}) && !told
            }),
            error,
            more: false,
            job: None,
        }
    }

    fn into_entry(self, now: Timestamp) -> Result<Entry, Unreadable> {
        let refuse = |field, value: &str, expected| Unreadable::Field {
            job_id: self.job_id.clone(),
            field,
            value: format!("`{value}`"),
            expected,
        };
        if self.job_id.is_empty() {
            return Err(refuse("job_id", "", "a text that is not empty"));
        }
        let kind = EventKind::ALL.into_iter().find(|kind| kind.as_str() == self.event);
        let kind = kind.ok_or_else(|| refuse("event", &self.event, "a kind of event"))?;
        let stage = self.stage.as_deref().filter(|stage| !stage.is_empty());
        let stage = stage.ok_or_else(|| refuse("stage", "", "the name of a stage"))?;
        let at = match self.timestamp.as_deref() {
            None => now,
            Some(text) => Timestamp::parse(text)
                .ok_or_else(|| refuse("timestamp", text, "a moment as RFC 3339 writes it"))?,
        };
        let origin = self.pipeline.as_deref().map(PipelineName::from);
        let origin = origin.zip(Some(self.pipeline_version.unwrap_or(0)));
        let step =
            Step { stage: stage.into(), visit: self.visit, attempt: self.attempt.unwrap_or(1), at };
        let mut log = Vec::new();
        let change = match self.job {
            Some(job) => {
                log.clone_from(&job.log);
                job.into_change(&self.job_id)?
            }
            None if kind == EventKind::Started => Change::Running,
            None if self.more => Change::Part,
            None => Change::Told {
                kind,
                response: match &self.response {
                    Some(Value::Object(response)) => response.clone(),
                    _ => Params::new(),
                },
                failure: self.error.as_ref().map(WireError::failure),
            },
        };
        let event = Event {
            job_id: self.job_id.as_str().into(),
            kind,
            stage: step.stage.clone(),
            visit: self.visit.unwrap_or(1),
            attempt: step.attempt,
            at,
            detail: detail(self.detail, self.response, self.error.as_ref()),
        };
        Ok(Entry { job_id: self.job_id.into(), origin, step, events: vec![event], log, change })
    }
}

impl Entry {
    /// A job that begins with being created did not land from anywhere.
    fn note_birth(&mut self) {
        let born = self.events.first().is_some_and(|event| event.kind == EventKind::Created);
        if let (true, Change::Landed { next, .. }) = (born, &self.change) {
            self.change = Change::Created { next: next.clone() };
        }
    }
}

impl WireError {
    fn failure(&self) -> Failure {
        let known = self.kind.as_deref().and_then(ErrorKind::parse);
        let message = match (&self.kind, known) {
            (Some(kind), None) => format!("{kind}: {}", self.message),
            _ => self.message.clone(),
        };
        Failure::new(known.unwrap_or(ErrorKind::Error), message)
    }
}

/// The detail of the event as a store keeps it: with the response and the failure in it.
fn detail(
    detail: Option<Value>,
    response: Option<Value>,
    error: Option<&WireError>,
) -> Option<Value> {
    let given = response.filter(|response| *response != json!({}));
    match (detail, given, error) {
        (Some(Value::Object(mut fields)), Some(response), _) => {
            fields.insert("response".to_owned(), response);
            Some(Value::Object(fields))
        }
        (Some(detail), ..) => Some(detail),
        (None, Some(response), _) => Some(json!({ "response": response })),
        (None, None, Some(error)) => Some(json!(error.failure())),
        (None, None, None) => None,
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
    Failure::deserialize(failure).ok()
}

impl WireJob {
    fn of(entry: &Entry) -> Option<Self> {
        let (state, stage, next) = match &entry.change {
            Change::Landed { state, stage, next } => (*state, stage, next),
            Change::Created { next: next @ Next::Park(_) } => {
                (JobState::Waiting, &entry.step.stage, next)
            }
            Change::Created { next } => (JobState::Queued, &entry.step.stage, next),
            Change::Running | Change::Part | Change::Told { .. } => return None,
        };
        let mut job = Self {
            state: state.as_str().to_owned(),
            stage: stage.to_string(),
            place: Place::Back,
            queue: None,
            priority: 0,
            not_before: None,
            failure: None,
            contract: None,
            text: None,
            log: entry.log.clone(),
        };
        let body = match next {
            Next::Enqueue(message) => {
                job.place = Place::Queue;
                job.queue = Some(message.queue.to_string());
                job.priority = message.priority;
                job.not_before = message.not_before.map(|moment| moment.0);
                &message.body
            }
            Next::Park(task) => {
                job.place = Place::Inbox;
                &task.body
            }
            Next::End { body, failure } => {
                job.place = Place::End;
                job.failure.clone_from(failure);
                body
            }
            Next::HandBack | Next::HandOver | Next::Drop => return Some(job),
        };
        let text = String::from_utf8_lossy(body);
        match RawValue::from_string(text.clone().into_owned()) {
            Ok(contract) => job.contract = Some(contract),
            Err(_) => job.text = Some(text.into_owned()),
        }
        Some(job)
    }

    fn into_change(self, job_id: &str) -> Result<Change, Unreadable> {
        let Some(state) = JobState::parse(&self.state) else {
            return Err(Unreadable::Field {
                job_id: job_id.to_owned(),
                field: "job.state",
                value: format!("`{}`", self.state),
                expected: "a job's state",
            });
        };
        let stage = StageId::from(self.stage);
        let body = match (self.contract, self.text) {
            (Some(contract), _) => contract.get().as_bytes().to_vec(),
            (None, Some(text)) => text.into_bytes(),
            (None, None) => Vec::new(),
        };
        let next = match self.place {
            Place::Queue => Next::Enqueue(Message {
                queue: self.queue.unwrap_or_default().into(),
                stage: stage.clone(),
                priority: self.priority,
                not_before: self.not_before.map(Timestamp),
                body,
            }),
            Place::Inbox => Next::Park(Task { stage: stage.clone(), body }),
            Place::End => Next::End { body, failure: self.failure },
            Place::Back => Next::HandBack,
        };
        Ok(Change::Landed { state, stage, next })
    }
}

#[cfg(test)]
mod tests;
