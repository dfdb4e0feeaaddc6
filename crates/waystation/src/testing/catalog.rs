//! The app's catalog with the test between the engine and every stage's code.

use std::sync::Arc;
use std::time::Duration;

use waystation_core::pipeline::{Catalog, Executor, Stage, StageKind};

use super::script::{Script, Scripted};

/// Makes the code of stages as the app does, and lets the test's script have its say first.
/// Foreign and remote stages are worker stages here: nobody else is there to do them.
pub struct ScriptedCatalog {
    /// The app's own.
    pub inner: Arc<dyn Catalog>,
    /// What the test wants.
    pub script: Script,
}

impl Catalog for ScriptedCatalog {
    fn kind(&self, stage_type: &str) -> Option<StageKind> {
        match self.inner.kind(stage_type)? {
            StageKind::Foreign | StageKind::Remote => Some(StageKind::Worker),
            kind => Some(kind),
        }
    }

    fn is_hook(&self, stage_type: &str) -> bool {
        self.inner.is_hook(stage_type)
    }

    fn look_every(&self, stage_type: &str) -> Option<Duration> {
        self.inner.look_every(stage_type)
    }

    fn names(&self) -> Vec<String> {
        self.inner.names()
    }

    fn build(&self, stage: &Stage) -> Result<Executor, Vec<String>> {
        let code = match self.inner.build(stage)? {
            Executor::Worker(code) => Some(code),
            Executor::Foreign | Executor::Remote => None,
            other => return Ok(other),
        };
        self.script.cast(&stage.id);
        let (stage, script) = (stage.id.clone(), self.script.clone());
        Ok(Executor::Worker(Arc::new(Scripted { stage, code, script })))
    }
}
