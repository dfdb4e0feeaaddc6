//! A job that a settlement makes, on the wire.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Place;
use crate::event::Event;
use crate::id::{JobId, PipelineName, QueueName, StageId};
use crate::key::Key;
use crate::settlement::{Message, NewJob, Parent, Priority, Start, Task, Turn};

/// A new job: what is known of it, and where its contract goes.
#[derive(Serialize, Deserialize)]
pub(super) struct Child {
    job_id: JobId,
    pipeline: PipelineName,
    pipeline_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parent: Option<Parent>,
    stage: StageId,
    place: Place,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    queue: Option<QueueName>,
    #[serde(default)]
    priority: Priority,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Key>,
    contract: Box<RawValue>,
    events: Vec<Event>,
}

impl Child {
    /// The wire form. `None` for a contract that is no JSON, which no settlement makes.
    pub fn of(job: &NewJob) -> Option<Self> {
        let (stage, body) = match &job.start {
            Start::Queue(Message { stage, body, .. }) | Start::Inbox(Task { stage, body }) => {
                (stage, body)
            }
        };
        let message = match &job.start {
            Start::Queue(message) => Some(message),
            Start::Inbox(_) => None,
        };
        let turn = message.and_then(|message| message.turn.as_ref());
        let text = String::from_utf8(body.clone()).ok()?;
        Some(Self {
            job_id: job.job_id.clone(),
            pipeline: job.pipeline.clone(),
            pipeline_version: job.pipeline_version,
            parent: job.parent.clone(),
            stage: stage.clone(),
            place: if message.is_some() { Place::Queue } else { Place::Inbox },
            queue: message.map(|message| message.queue.clone()),
            priority: message.map_or(0, |message| message.priority),
            key: turn.map(|turn| turn.key.clone()),
            contract: RawValue::from_string(text).ok()?,
            events: job.events.clone(),
        })
    }

    pub fn into_job(self) -> NewJob {
        let (stage, body) = (self.stage, self.contract.get().as_bytes().to_vec());
        let start = match self.place {
            Place::Inbox => Start::Inbox(Task { stage, body }),
            _ => Start::Queue(Message {
                queue: self.queue.unwrap_or_else(|| QueueName::of_stage(&self.pipeline, &stage)),
                stage,
                priority: self.priority,
                not_before: None,
                turn: self.key.map(Turn::last),
                body,
            }),
        };
        NewJob {
            job_id: self.job_id,
            pipeline: self.pipeline,
            pipeline_version: self.pipeline_version,
            dedupe: None,
            parent: self.parent,
            start,
            events: self.events,
        }
    }
}
