//! Events and log lines.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use waystation_core::event;
use waystation_core::id::PipelineName;
use waystation_core::job::Feed;

use super::Moment;

/// A durable fact about a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// The job.
    pub job_id: String,
    /// Its pipeline, where events of several are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<String>,
    /// What happened: `created`, `started`, `completed`, `retried`, `failed` …
    pub kind: String,
    /// At which stage.
    pub stage: String,
    /// In which stage run of the job, counted from 1.
    pub visit: u32,
    /// In which attempt of that run, counted from 1.
    pub attempt: u32,
    /// When.
    pub at: Moment,
    /// What else there is to say: the output, the failure, the label, who answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

impl From<event::Event> for Event {
    fn from(event: event::Event) -> Self {
        Self {
            job_id: event.job_id.to_string(),
            pipeline: None,
            kind: event.kind.as_str().to_owned(),
            stage: event.stage.to_string(),
            visit: event.visit,
            attempt: event.attempt,
            at: event.at.into(),
            detail: event.detail,
        }
    }
}

impl From<(PipelineName, event::Event)> for Event {
    fn from((pipeline, event): (PipelineName, event::Event)) -> Self {
        Self { pipeline: Some(pipeline.to_string()), ..event.into() }
    }
}

/// A page of the feed of all jobs' events, in the order of writing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    /// What happened.
    pub events: Vec<Event>,
    /// What to give as `after` to read on: also when there was nothing yet.
    pub next: u64,
}

impl From<Feed> for EventPage {
    fn from(feed: Feed) -> Self {
        Self { events: feed.events.into_iter().map(Event::from).collect(), next: feed.next }
    }
}

/// A line of a job's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// When it was written.
    pub at: Moment,
    /// At which stage.
    pub stage: String,
    /// In which attempt.
    pub attempt: u32,
    /// How serious it is: `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// The line.
    pub line: String,
}

impl From<event::LogLine> for LogLine {
    fn from(line: event::LogLine) -> Self {
        Self {
            at: line.at.into(),
            stage: line.stage.to_string(),
            attempt: line.attempt,
            level: line.level.as_str().to_owned(),
            line: line.line,
        }
    }
}
