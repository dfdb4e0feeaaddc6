//! A job that a settlement makes, on the wire.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Place;
use crate::event::Event;
use crate::id::{JobId, PipelineName, QueueName, StageId};
use crate::settlement::{Message, NewJob, Parent, Priority, Start, Task};

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
    contract: Box<RawValue>,
    events: Vec<Event>,
}

impl Child {
    /// The wire form. `None` for a contract that is no JSON, which no settlement makes.
    pub fn of(job: &NewJob) -> Option<Self> {
        let (stage, place, queue, priority, body) = match &job.start {
            Start::Queue(message) => {
                let Message { stage, queue, priority, body, .. } = message;
                (stage, Place::Queue, Some(queue.clone()), *priority, body)
            }
            Start::Inbox(Task { stage, body }) => (stage, Place::Inbox, None, 0, body),
        };
        let text = String::from_utf8(body.clone()).ok()?;
        Some(Self {
            job_id: job.job_id.clone(),
            pipeline: job.pipeline.clone(),
            pipeline_version: job.pipeline_version,
            parent: job.parent.clone(),
            stage: stage.clone(),
            place,
            queue,
            priority,
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
