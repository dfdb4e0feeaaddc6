//! What operators ask: pause, look at who works and who did what, act on many jobs at once.

use waystation_core::id::StageId;
use waystation_core::port;

use super::Client;
use crate::control::operations::{self, DryRun, Kind, Operation, Selection};
use crate::control::{
    AuditEntry, AuditPage, Audited, Mode, Pause, PauseError, Target, WorkerPresence, audit, pauses,
    presence,
};
use crate::definition::DefinitionError;
use crate::supervisor::{self, EngineStatus};

impl Client {
    /// Pauses something, or drains a pipeline, until somebody resumes it. It takes the place of
    /// what was said of the same target before. Processes hear of it in some 200 ms, and within
    /// five seconds where no signal reaches them.
    pub async fn pause(
        &self,
        target: Target,
        mode: Mode,
        by: &str,
        reason: &str,
    ) -> Result<Pause, PauseError> {
        self.check_target(&target, mode).await?;
        let (by, reason) = (by.to_owned(), reason.to_owned());
        let pause = Pause { target, mode, by, reason, at: self.backend.clock.now() };
        pauses::write(&self.backend, &pause).await?;
        self.view.forget().await;
        Ok(pause)
    }

    /// Takes back what was paused or drained. Tells whether it was.
    pub async fn resume(&self, target: &Target) -> Result<bool, port::Error> {
        let was_there = pauses::take_back(&self.backend, target).await?;
        self.view.forget().await;
        Ok(was_there)
    }

    /// All that is paused or drained, by target.
    pub async fn pauses(&self) -> Result<Vec<Pause>, port::Error> {
        Ok(pauses::read(&*self.backend.records).await?.list().to_vec())
    }

    /// The processes that work, and the remote workers that ask for work, by name.
    pub async fn workers(&self) -> Result<Vec<WorkerPresence>, port::Error> {
        presence::read(&*self.backend.records).await
    }

    /// The engines that look after the workers of a host, by name.
    pub async fn engines(&self) -> Result<Vec<EngineStatus>, port::Error> {
        supervisor::engines(&*self.backend.records).await
    }

    /// Writes down who did what. Durable when it returns.
    pub async fn write_audit(&self, entry: AuditEntry) -> Result<(), port::Error> {
        audit::write(&*self.backend.records, entry).await
    }

    /// A page of what was written down, newest first.
    pub async fn audit(&self, page: AuditPage) -> Result<Vec<Audited>, port::Error> {
        audit::read(&*self.backend.records, page).await
    }

    /// How many jobs a bulk operation would be about now.
    pub async fn dry_run(
        &self,
        kind: &Kind,
        selection: &Selection,
    ) -> Result<DryRun, operations::Error> {
        let selection = selection.clone().narrowed(kind)?;
        Ok(operations::dry_run(&*self.backend.store, &selection).await?)
    }

    /// Begins a bulk operation on the jobs that are there now. A process that runs
    /// [`operations::run`] works at it.
    pub async fn start_operation(
        &self,
        request: operations::Request,
    ) -> Result<Operation, operations::Error> {
        operations::start(&self.backend, request).await
    }

    /// Ends a bulk operation before its time. What it has done stays done.
    pub async fn cancel_operation(&self, id: &str) -> Result<Operation, operations::Error> {
        operations::cancel(&self.backend, id).await
    }

    /// A bulk operation.
    pub async fn operation(&self, id: &str) -> Result<Option<Operation>, port::Error> {
        operations::read(&*self.backend.records, id).await
    }

    /// A page of the bulk operations, newest first.
    pub async fn operations(&self, page: operations::Page) -> Result<Vec<Operation>, port::Error> {
        operations::list(&*self.backend.records, page).await
    }

    /// What is named is there. A queue may be another pipeline's or a foreign program's.
    async fn check_target(&self, target: &Target, mode: Mode) -> Result<(), PauseError> {
        let (pipeline, stage) = match target {
            Target::Pipeline(pipeline) => (pipeline, None),
            _ if mode == Mode::Drain => return Err(PauseError::OnlyPipelinesDrain(target.clone())),
            Target::Stage(pipeline, stage) => (pipeline, Some(stage)),
            Target::Queue(_) => return Ok(()),
        };
        let newest = self.registry.graph_of(pipeline, None).await?;
        let Some(stage) = stage else { return Ok(()) };
        let mut known: Vec<_> = newest.pipeline.stages.iter().map(|one| one.id.clone()).collect();
        for version in self.backend.store.live_versions(pipeline).await? {
            match self.registry.graph(pipeline, version).await {
                Ok(graph) => known.extend(graph.pipeline.stages.iter().map(|one| one.id.clone())),
                Err(DefinitionError::Store(error)) => return Err(error.into()),
                Err(error) => tracing::debug!(%pipeline, version, %error, "not known here"),
            }
        }
        if known.contains(stage) {
            return Ok(());
        }
        known.sort();
        known.dedup();
        let known = known.iter().map(StageId::as_str).collect::<Vec<_>>().join(", ");
        Err(PauseError::UnknownStage { pipeline: pipeline.clone(), stage: stage.clone(), known })
    }
}
