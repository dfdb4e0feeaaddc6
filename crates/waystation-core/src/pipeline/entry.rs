//! Where submitted jobs start.

use super::{Catalog, Pipeline, StageKind};
use crate::id::{PipelineName, StageId};

/// Why a job's first stage cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Every stage is the target of a route, or makes jobs itself.
    #[error("pipeline `{pipeline}` has no stage that jobs start at (hint: name one with --entry)")]
    None {
        /// The pipeline.
        pipeline: PipelineName,
    },
    /// More than one stage would do.
    #[error(
        "pipeline `{pipeline}` has several stages that jobs may start at: {} \
         (hint: name one with --entry)",
        list(stages)
    )]
    Several {
        /// The pipeline.
        pipeline: PipelineName,
        /// The stages, in the order that they were declared.
        stages: Vec<StageId>,
    },
}

fn list(stages: &[StageId]) -> String {
    let stages: Vec<_> = stages.iter().map(StageId::as_str).collect();
    stages.join(", ")
}

impl Pipeline {
    /// Where jobs start that are submitted without an entry stage: where the source's jobs do,
    /// or at the pipeline's one root.
    pub fn default_entry(&self, catalog: &dyn Catalog) -> Result<StageId, EntryError> {
        let is_source = |id: &StageId| {
            let kind = self.stage(id).and_then(|stage| catalog.kind(&stage.kind));
            kind == Some(StageKind::Source)
        };
        let fed = |id: &StageId| {
            let mut routes = self.routes.iter();
            routes.any(|route| route.to.leads_to(id) && is_source(&route.from))
        };
        let ids = || self.stages.iter().map(|stage| &stage.id);
        let mut stages: Vec<StageId> = ids().filter(|id| fed(id)).cloned().collect();
        if stages.is_empty() {
            let roots = self.roots().into_iter().map(|stage| &stage.id);
            stages = roots.filter(|id| !is_source(id)).cloned().collect();
        }
        let pipeline = self.name.clone();
        match stages.pop() {
            None => Err(EntryError::None { pipeline }),
            Some(stage) if stages.is_empty() => Ok(stage),
            Some(stage) => {
                stages.push(stage);
                Err(EntryError::Several { pipeline, stages })
            }
        }
    }
}
