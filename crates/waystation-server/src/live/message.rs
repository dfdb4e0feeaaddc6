//! What is sent: see `docs/live.md`, which a test holds against these types.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use waystation_core::event::{Event, LogLine};
use waystation_core::id::PipelineName;
use waystation_core::job::Count;

use super::topic::Topic;
use crate::wire::{Job, Moment};

/// The version of the wire form. New fields may come without a new one.
pub const VERSION: u32 = 1;

/// A message.
#[derive(Clone, Debug, Serialize)]
pub struct Message {
    /// [`VERSION`].
    pub version: u32,
    /// What it is about.
    pub topic: Topic,
    /// Where to go on after it.
    pub cursor: String,
    /// What it says.
    #[serde(flatten)]
    pub body: Body,
}

/// What a message says.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Body {
    /// How it stands now: forget what was known before.
    Snapshot(Box<Snapshot>),
    /// What came since the last message.
    Delta(Delta),
}

/// How it stands.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Snapshot {
    /// How many jobs stand where, unless one job is followed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<Count>,
    /// The job that is followed, if it is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<Job>,
    /// What happened to the job that is followed: the last events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Happening>,
    /// What the job's attempts wrote: the last lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<Written>,
}

/// What came since the last message.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Delta {
    /// How many jobs stand now where their number changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<Count>,
    /// How many events of each kind there were.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<&'static str, u64>,
    /// The events: all of a job; of many jobs the first few that somebody may want to look at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Happening>,
    /// How many more events there were of those that `events` shows.
    #[serde(skip_serializing_if = "is_zero")]
    pub events_left_out: u64,
    /// How far the job's attempt is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Advance>,
    /// What the job's attempt wrote last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<Written>,
    /// How many lines before these are not shown.
    #[serde(skip_serializing_if = "is_zero")]
    pub log_left_out: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Something that happened to a job.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Happening {
    /// The job.
    pub job_id: String,
    /// Its pipeline.
    pub pipeline: PipelineName,
    /// What happened.
    pub kind: &'static str,
    /// At which stage.
    pub stage: String,
    /// In which stage run of the job.
    pub visit: u32,
    /// In which attempt.
    pub attempt: u32,
    /// When.
    pub at: Moment,
    /// What else there is to say, where one job is followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

impl Happening {
    /// The event, with all that it says.
    pub fn whole(pipeline: &PipelineName, event: &Event) -> Self {
        Self { detail: event.detail.clone(), ..Self::brief(pipeline, event) }
    }

    /// The event without its detail.
    pub fn brief(pipeline: &PipelineName, event: &Event) -> Self {
        Self {
            job_id: event.job_id.to_string(),
            pipeline: pipeline.clone(),
            kind: event.kind.as_str(),
            stage: event.stage.to_string(),
            visit: event.visit,
            attempt: event.attempt,
            at: event.at.into(),
            detail: None,
        }
    }
}

/// How far an attempt is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advance {
    /// Its stage.
    pub stage: String,
    /// From 0 to 100.
    pub percent: f64,
    /// What it does now.
    pub message: String,
}

/// A line that an attempt wrote.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Written {
    /// Its stage.
    pub stage: String,
    /// How serious it is.
    pub level: &'static str,
    /// The line.
    pub line: String,
}

impl From<&LogLine> for Written {
    fn from(line: &LogLine) -> Self {
        Self { stage: line.stage.to_string(), level: line.level.as_str(), line: line.line.clone() }
    }
}

impl Message {
    /// A message about this topic.
    pub fn new(topic: Topic, place: u64, body: Body) -> Self {
        Self { version: VERSION, topic, cursor: place.to_string(), body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use waystation_core::clock::Timestamp;
    use waystation_core::state::JobState;

    fn happening(kind: &'static str, detail: Option<Value>) -> Happening {
        Happening {
            job_id: "j-1".into(),
            pipeline: "scans".into(),
            kind,
            stage: "rectify".into(),
            visit: 2,
            attempt: 1,
            at: Moment(Timestamp(1_795_440_000_000)),
            detail,
        }
    }

    fn counts(jobs: u64) -> Vec<Count> {
        let (pipeline, stage) = ("scans".into(), "rectify".into());
        vec![Count { pipeline, stage, state: JobState::Running, jobs }]
    }

    #[test]
    fn the_document_shows_what_is_sent() {
        let numbers = Delta {
            counts: counts(4),
            kinds: [("started", 118), ("failed", 1)].into(),
            events: vec![happening("failed", None)],
            ..Delta::default()
        };
        let job = Delta {
            kinds: [("retried", 1)].into(),
            events: vec![happening(
                "retried",
                Some(json!({ "not_before": "2026-11-23T13:20:03.000Z" })),
            )],
            progress: Some(Advance {
                stage: "rectify".into(),
                percent: 40.0,
                message: "looks for edges".into(),
            }),
            log: vec![Written {
                stage: "rectify".into(),
                level: "info",
                line: "found a line".into(),
            }],
            log_left_out: 12,
            ..Delta::default()
        };
        let snapshot = Snapshot { counts: counts(3), ..Snapshot::default() };
        let sent = [
            Message::new(
                Topic::Pipeline("scans".into()),
                4_711,
                Body::Snapshot(Box::new(snapshot)),
            ),
            Message::new(Topic::All, 4_902, Body::Delta(numbers)),
            Message::new(Topic::Job("j-1".into()), 4_903, Body::Delta(job)),
        ];
        let document = include_str!("../../../../docs/live.md");
        let blocks = document.split("```json\n").skip(1);
        let shown: Vec<Value> = blocks
            .map(|block| serde_json::from_str(block.split("```").next().unwrap()).expect("JSON"))
            .collect();
        assert_eq!(json!(sent), json!(shown));
    }
}
