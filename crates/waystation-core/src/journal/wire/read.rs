//! Reads the journal, whoever wrote it.

use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Place;
use super::child::Child;
use crate::Params;
use crate::clock::Timestamp;
use crate::event::{Event, EventKind, LogLine};
use crate::failure::{ErrorKind, Failure};
use crate::id::{PipelineName, StageId};
use crate::journal::{Change, Entry, Step};
use crate::key::Key;
use crate::settlement::{Message, NewJob, Next, Priority, Quorum, Task, Turn};
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

#[derive(Deserialize)]
struct WireEvent {
    event: String,
    job_id: String,
    #[serde(default)]
    stage: Option<String>,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default)]
    attempt: Option<u32>,
    #[serde(default)]
    visit: Option<u32>,
    #[serde(default)]
    pipeline: Option<String>,
    #[serde(default)]
    pipeline_version: Option<u32>,
    #[serde(default)]
    response: Option<Value>,
    #[serde(default)]
    error: Option<WireError>,
    #[serde(default)]
    detail: Option<Value>,
    /// What became of the job is told by the event that follows.
    #[serde(default)]
    more: bool,
    #[serde(default)]
    job: Option<WireJob>,
}

#[derive(Deserialize)]
struct WireError {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    message: String,
}

/// What became of the job.
#[derive(Deserialize)]
struct WireJob {
    state: String,
    stage: String,
    place: Place,
    #[serde(default)]
    queue: Option<String>,
    #[serde(default)]
    priority: Priority,
    #[serde(default)]
    key: Option<Key>,
    #[serde(default)]
    not_before: Option<i64>,
    #[serde(default)]
    failure: Option<Failure>,
    /// The contract as it is now.
    #[serde(default)]
    contract: Option<Box<RawValue>>,
    /// The body, when it is no JSON.
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    log: Vec<LogLine>,
    /// How many of its children are waited for.
    #[serde(default)]
    quorum: Option<Quorum>,
    /// The jobs that were made with it.
    #[serde(default)]
    children: Vec<Child>,
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
                    last.children = entry.children;
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

impl WireEvent {
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
        let (mut log, mut children) = (Vec::new(), Vec::new());
        let change = match self.job {
            Some(mut job) => {
                log = std::mem::take(&mut job.log);
                children = job.take_children();
                let strange = |child: &&NewJob| {
                    let parent = child.parent.as_ref();
                    parent.is_none_or(|parent| parent.job_id.as_str() != self.job_id)
                };
                if let Some(child) = children.iter().find(strange) {
                    let child = child.job_id.as_str();
                    return Err(refuse("job.children", child, "a child of the event's job"));
                }
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
        let (job_id, events) = (self.job_id.into(), vec![event]);
        Ok(Entry { job_id, origin, step, events, log, change, children })
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

impl WireJob {
    fn take_children(&mut self) -> Vec<NewJob> {
        std::mem::take(&mut self.children).into_iter().map(Child::into_job).collect()
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
        let message = |body| Message {
            queue: self.queue.unwrap_or_default().into(),
            stage: stage.clone(),
            priority: self.priority,
            not_before: self.not_before.map(Timestamp),
            turn: self.key.map(Turn::last),
            body,
        };
        let next = match self.place {
            Place::Queue => Next::Enqueue(message(body)),
            Place::Join => {
                let quorum = self.quorum.ok_or_else(|| Unreadable::Field {
                    job_id: job_id.to_owned(),
                    field: "job.quorum",
                    value: "absent".to_owned(),
                    expected: "the numbers of children to wait for",
                })?;
                Next::Await(message(body), quorum)
            }
            Place::Inbox => Next::Park(Task { stage: stage.clone(), body }),
            Place::End => Next::End { body, failure: self.failure },
            Place::Back => Next::HandBack,
        };
        Ok(Change::Landed { state, stage, next })
    }
}
