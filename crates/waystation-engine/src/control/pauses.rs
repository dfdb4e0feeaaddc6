//! What is paused or drained, by whom and why. It lasts until somebody takes it back.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, QueueName, StageId};
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{self, Expected, Records, Signal};

use super::collection;
use crate::backend::Backend;
use crate::definition::DefinitionError;

/// Where they lie.
const COLLECTION: &str = "pauses";
/// How old a view may be that new jobs are held against.
const VIEW_AGE_MAX: Duration = Duration::from_secs(1);

/// What is paused: everywhere a text, `pipeline/NAME`, `stage/PIPELINE/STAGE` or `queue/NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// A whole pipeline, its sources too.
    Pipeline(PipelineName),
    /// One stage of a pipeline, in all its versions.
    Stage(PipelineName, StageId),
    /// A queue, whoever reads it.
    Queue(QueueName),
}

/// What is no target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is nothing to pause: pipeline/NAME, stage/PIPELINE/STAGE or queue/NAME")]
pub struct UnknownTarget(pub String);

/// How far it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing new is started there. What runs goes on; what comes waits.
    #[default]
    Pause,
    /// Nothing new is submitted or discovered. What is there runs to its end.
    Drain,
}

/// A target that is paused or drained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// What.
    pub target: Target,
    /// How far it goes.
    pub mode: Mode,
    /// Who wanted it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
}

/// Why something was not paused.
#[derive(Debug, thiserror::Error)]
pub enum PauseError {
    /// Only a pipeline is submitted to.
    #[error("{0} cannot be drained, only a pipeline can (hint: pause it)")]
    OnlyPipelinesDrain(Target),
    /// No version of the pipeline that counts has the stage.
    #[error("pipeline `{pipeline}` has no stage `{stage}` (its stages: {known})")]
    UnknownStage {
        /// The pipeline.
        pipeline: PipelineName,
        /// What was named.
        stage: StageId,
        /// What there is.
        known: String,
    },
    /// There is no such pipeline.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] port::Error),
}

/// All that is paused at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pauses(Vec<Pause>);

impl Target {
    /// Reads the text of a target.
    pub fn parse(text: &str) -> Result<Self, UnknownTarget> {
        let unknown = || UnknownTarget(text.to_owned());
        let (kind, name) = text.split_once('/').ok_or_else(unknown)?;
        match (kind, name.split_once('/')) {
            (_, _) if name.is_empty() => Err(unknown()),
            ("queue", _) => Ok(Self::Queue(name.into())),
            ("pipeline", None) => Ok(Self::Pipeline(name.into())),
            ("stage", Some((pipeline, stage))) if !pipeline.is_empty() && !stage.is_empty() => {
                Ok(Self::Stage(pipeline.into(), stage.into()))
            }
            _ => Err(unknown()),
        }
    }

    /// In words.
    pub fn words(&self) -> String {
        match self {
            Self::Pipeline(name) => format!("pipeline `{name}`"),
            Self::Stage(pipeline, stage) => format!("stage `{stage}` of pipeline `{pipeline}`"),
            Self::Queue(queue) => format!("queue `{queue}`"),
        }
    }

    /// Whether it covers what this stage does with this queue.
    fn covers(&self, pipeline: &PipelineName, stage: &StageId, queue: &QueueName) -> bool {
        match self {
            Self::Pipeline(name) => name == pipeline,
            Self::Stage(name, one) => name == pipeline && one == stage,
            Self::Queue(name) => name == queue,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipeline(name) => write!(formatter, "pipeline/{name}"),
            Self::Stage(pipeline, stage) => write!(formatter, "stage/{pipeline}/{stage}"),
            Self::Queue(queue) => write!(formatter, "queue/{queue}"),
        }
    }
}

impl TryFrom<String> for Target {
    type Error = UnknownTarget;

    fn try_from(text: String) -> Result<Self, UnknownTarget> {
        Self::parse(&text)
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl Pauses {
    /// These.
    pub fn new(pauses: Vec<Pause>) -> Self {
        Self(pauses)
    }

    /// All of them, by target.
    pub fn list(&self) -> &[Pause] {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What keeps this stage from taking anything from this queue.
    pub fn stops(
        &self,
        pipeline: &PipelineName,
        stage: &StageId,
        queue: &QueueName,
    ) -> Option<&Pause> {
        let paused = |pause: &&Pause| pause.mode == Mode::Pause;
        self.0.iter().filter(paused).find(|pause| pause.target.covers(pipeline, stage, queue))
    }

    /// What keeps new jobs from being submitted to this pipeline.
    pub fn drains(&self, pipeline: &PipelineName) -> Option<&Pause> {
        let of_it =
            |pause: &&Pause| matches!(&pause.target, Target::Pipeline(name) if name == pipeline);
        self.0.iter().filter(of_it).find(|pause| pause.mode == Mode::Drain)
    }

    /// What keeps this source from discovering.
    pub fn silences(&self, pipeline: &PipelineName, source: &StageId) -> Option<&Pause> {
        self.0.iter().find(|pause| match &pause.target {
            Target::Pipeline(name) => name == pipeline,
            Target::Stage(name, stage) => name == pipeline && stage == source,
            Target::Queue(_) => false,
        })
    }
}

/// All that is paused now.
pub async fn read(records: &dyn Records) -> Result<Pauses, port::Error> {
    Ok(Pauses(collection::first(records, COLLECTION, PAGE_MAX).await?))
}

/// Writes one down, in the place of what was said of its target before, and has it heard.
pub async fn write(backend: &Backend, pause: &Pause) -> Result<(), port::Error> {
    let value = collection::written(COLLECTION, pause)?;
    let key = pause.target.to_string();
    backend.records.put_record(COLLECTION, &key, &value, Expected::Any, None).await?;
    backend.bus.publish(Signal::Changed);
    Ok(())
}

/// Takes one back, and has it heard. Tells whether there was one.
pub async fn take_back(backend: &Backend, target: &Target) -> Result<bool, port::Error> {
    let key = target.to_string();
    let was_there = backend.records.remove_record(COLLECTION, &key, Expected::Any).await?;
    backend.bus.publish(Signal::Changed);
    Ok(was_there)
}

/// A view that is at most so old, for those who come now and then. Clones share it.
#[derive(Clone, Default)]
pub struct View(Arc<Mutex<Seen>>);

/// What was seen last, and when.
type Seen = Option<(Instant, Arc<Pauses>)>;

impl View {
    /// What is paused. Where the store does not say, what it said last holds: it will not take new
    /// jobs either while it is away.
    pub async fn see(&self, records: &dyn Records) -> Arc<Pauses> {
        let mut seen = self.0.lock().await;
        if let Some((at, pauses)) = &*seen
            && at.elapsed() < VIEW_AGE_MAX
        {
            return Arc::clone(pauses);
        }
        let pauses = match read(records).await {
            Ok(pauses) => Arc::new(pauses),
            Err(error) => {
                tracing::debug!(%error, "what is paused is not known anew");
                seen.as_ref().map(|(_, pauses)| Arc::clone(pauses)).unwrap_or_default()
            }
        };
        *seen = Some((Instant::now(), Arc::clone(&pauses)));
        pauses
    }

    /// Forgets what was seen: something is known to have changed.
    pub async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(target: &str, mode: Mode) -> Pause {
        let target = Target::parse(target).expect("a target");
        Pause { target, mode, by: "ann".into(), reason: "a test".into(), at: Timestamp(1) }
    }

    #[test]
    fn targets_are_texts_that_are_read_again() {
        for text in ["pipeline/scans", "stage/scans/rectify", "queue/raw/images"] {
            assert_eq!(Target::parse(text).expect(text).to_string(), text);
        }
        for text in ["", "scans", "pipeline/", "pipeline/a/b", "stage/a", "stage//b", "job/a"] {
            let error = Target::parse(text).expect_err(text).to_string();
            assert!(error.starts_with(&format!("`{text}` is nothing to pause")), "{error}");
        }
    }

    #[test]
    fn a_pause_stops_what_its_target_covers_and_nothing_else() {
        let stops = |target: &str, mode| {
            let pauses = Pauses::new(vec![pause(target, mode)]);
            let of = |stage: &str, queue: &str| {
                pauses.stops(&"scans".into(), &stage.into(), &queue.into()).is_some()
            };
            (of("rectify", "scans.rectify"), of("read", "raw"))
        };
        assert_eq!(stops("pipeline/scans", Mode::Pause), (true, true));
        assert_eq!(stops("pipeline/other", Mode::Pause), (false, false));
        assert_eq!(stops("stage/scans/rectify", Mode::Pause), (true, false));
        assert_eq!(stops("queue/raw", Mode::Pause), (false, true));
        assert_eq!(stops("pipeline/scans", Mode::Drain), (false, false));
    }

    #[test]
    fn sources_rest_in_drained_pipelines_too_and_submits_in_those_only() {
        for (mode, drains) in [(Mode::Pause, false), (Mode::Drain, true)] {
            let pauses = Pauses::new(vec![pause("pipeline/scans", mode)]);
            assert!(pauses.silences(&"scans".into(), &"find".into()).is_some());
            assert!(pauses.silences(&"other".into(), &"find".into()).is_none());
            assert_eq!(pauses.drains(&"scans".into()).is_some(), drains);
        }
    }
}
