//! What a stage's `type:` may be, and the code that each one brings.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::model::Stage;
use crate::handler::Handler;
use crate::hook::Hook;
use crate::id::PipelineName;
use crate::source::Source;

/// What kind of step a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StageKind {
    /// Code does it.
    Worker,
    /// A person does it.
    Manual,
    /// It finds items and makes jobs.
    Source,
    /// A program that is none of ours does it: it takes from the stage's queue and forwards by
    /// itself.
    Foreign,
    /// A program in any language does it, which asks for work over HTTP and tells what came of it.
    /// Everything else is the engine's, as with a worker's stage.
    Remote,
}

impl StageKind {
    /// The kind of a stage whose type nobody here knows the code of. People and foreign programs
    /// need none, nor do remote workers; any other stage that jobs come to is a worker's.
    pub fn without_code(stage_type: &str) -> Self {
        match stage_type {
            "manual" => Self::Manual,
            "foreign" => Self::Foreign,
            "remote" => Self::Remote,
            _ => Self::Worker,
        }
    }
}

/// The code behind a stage.
#[derive(Clone)]
pub enum Executor {
    /// Code does it.
    Worker(Arc<dyn Handler>),
    /// A person does it.
    Manual,
    /// It finds items and makes jobs.
    Source(Arc<dyn Source>),
    /// Its items are brought to it.
    Hook(Arc<dyn Hook>),
    /// A program that is none of ours does it.
    Foreign,
    /// A remote worker does it.
    Remote,
    /// Another pipeline does it, of the same store: a child of the job goes through it.
    Pipeline(PipelineName),
}

/// What there is to know of a type that stages may have.
#[derive(Clone, Debug, PartialEq)]
pub struct StageType {
    /// What a pipeline file calls it.
    pub name: String,
    /// What kind of step it is.
    pub kind: StageKind,
    /// What it does, in a line.
    pub summary: Option<String>,
    /// What its settings may be: a JSON Schema. Unknown where the type checks them itself.
    pub settings: Option<Value>,
}

/// Knows the types that stages may have. The facade makes one of the ready-made executors and
/// the user's own handlers.
pub trait Catalog: Send + Sync {
    /// What kind of step a stage of this type is, whatever its settings; `None` when the type is
    /// unknown.
    fn kind(&self, stage_type: &str) -> Option<StageKind>;

    /// Whether sources of this type are brought their items and never look. They have no schedule.
    fn is_hook(&self, stage_type: &str) -> bool {
        let _ = stage_type;
        false
    }

    /// How often sources of this type look where nothing is said, if it is them who decide.
    fn look_every(&self, stage_type: &str) -> Option<Duration> {
        let _ = stage_type;
        None
    }

    /// Every known type, for messages.
    fn names(&self) -> Vec<String>;

    /// What there is to know of each type, by name.
    fn types(&self) -> Vec<StageType> {
        let types = self.names().into_iter().filter_map(|name| {
            let kind = self.kind(&name)?;
            Some(StageType { name, kind, summary: None, settings: None })
        });
        types.collect()
    }

    /// Makes the code of a stage from its settings, or tells every problem of the settings, each
    /// naming the setting and its value.
    fn build(&self, stage: &Stage) -> Result<Executor, Vec<String>>;
}
