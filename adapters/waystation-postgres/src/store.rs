//! The store port: writes go through the writer, reads through a connection of their own.

use async_trait::async_trait;
use serde_json::Value;
use waystation_core::clock::Timestamp;
use waystation_core::event::{Event, LogLine};
use waystation_core::id::{JobId, PipelineName, QueueName};
use waystation_core::job::{
    Awaited, Behind, ChildRecord, Count, DeadLetterFilter, DeadLetterRecord, Feed, JobFilter,
    JobPage, JobRecord, PAGE_MAX, PipelineRecord, TaskFilter, TaskRecord,
};
use waystation_core::port::{
    Abort, Bus, Depth, Error, Signal, Store, TaskChange, TaskChanged, check_task_change,
};
use waystation_core::progress::Progress;
use waystation_core::statistics::{Period, Statistic};
use waystation_core::step::StepKey;

use crate::Postgres;
use crate::writer::Command;

#[async_trait]
impl Store for Postgres {
    async fn put_pipeline(&self, name: &PipelineName, source: &str) -> Result<u32, Error> {
        let (name, source) = (name.clone(), source.to_owned());
        self.shared.writer.ask(|reply| Command::PutPipeline { name, source, reply }).await
    }

    async fn pipeline(
        &self,
        name: &PipelineName,
        version: Option<u32>,
    ) -> Result<Option<PipelineRecord>, Error> {
        self.shared.reader.pipeline(name, version).await
    }

    async fn pipelines(&self) -> Result<Vec<(PipelineName, u32)>, Error> {
        self.shared.reader.pipelines().await
    }

    async fn live_versions(&self, name: &PipelineName) -> Result<Vec<u32>, Error> {
        self.shared.reader.live_versions(name).await
    }

    async fn job(&self, job_id: &JobId) -> Result<Option<JobRecord>, Error> {
        self.shared.reader.job(job_id, self.shared.clock.now()).await
    }

    async fn jobs(&self, filter: JobFilter) -> Result<JobPage, Error> {
        self.shared.reader.jobs(&filter, self.shared.clock.now()).await
    }

    async fn children(
        &self,
        parent: &JobId,
        visit: u32,
        from: u32,
        limit: usize,
    ) -> Result<Vec<ChildRecord>, Error> {
        let now = self.shared.clock.now();
        self.shared.reader.children(parent, visit, from, limit.min(PAGE_MAX), now).await
    }

    async fn awaited(&self, job_id: &JobId) -> Result<Option<Awaited>, Error> {
        self.shared.reader.awaited(job_id).await
    }

    async fn behind(&self, job_id: &JobId) -> Result<Option<Behind>, Error> {
        self.shared.reader.behind(job_id).await
    }

    async fn counts(&self, pipeline: Option<&PipelineName>) -> Result<Vec<Count>, Error> {
        self.shared.reader.counts(pipeline, self.shared.clock.now()).await
    }

    async fn events(&self, job_id: &JobId) -> Result<Vec<Event>, Error> {
        self.shared.reader.events(job_id).await
    }

    async fn log(&self, job_id: &JobId) -> Result<Vec<LogLine>, Error> {
        self.shared.reader.log(job_id).await
    }

    async fn task(&self, task_id: i64) -> Result<Option<TaskRecord>, Error> {
        self.shared.reader.task(task_id).await
    }

    async fn feed(&self, after: Option<u64>, limit: usize) -> Result<Feed, Error> {
        self.shared.reader.feed(after, limit).await
    }

    async fn statistics(&self, period: Period) -> Result<Vec<Statistic>, Error> {
        self.shared.reader.statistics(&period).await
    }

    async fn forget_statistics(&self, before: Timestamp) -> Result<(), Error> {
        self.shared.reader.forget_statistics(before).await
    }

    async fn depths(&self) -> Result<Vec<(QueueName, Depth)>, Error> {
        self.shared.reader.depths(self.shared.clock.now()).await
    }

    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskRecord>, Error> {
        self.shared.reader.tasks(&filter, self.shared.clock.now()).await
    }

    async fn change_task(&self, task_id: i64, change: TaskChange) -> Result<TaskChanged, Error> {
        check_task_change(task_id, &change)?;
        let now = self.shared.clock.now();
        let changed = self.shared.reader.change_task(task_id, &change, now).await?;
        if matches!(changed, TaskChanged::Done(_)) {
            self.publish(Signal::Changed);
        }
        Ok(changed)
    }

    async fn dead_letters(&self, filter: DeadLetterFilter) -> Result<Vec<DeadLetterRecord>, Error> {
        self.shared.reader.dead_letters(&filter).await
    }

    async fn abort(&self, job_id: &JobId, reason: &str) -> Result<Abort, Error> {
        let (job_id, reason) = (job_id.clone(), reason.to_owned());
        self.shared.writer.ask(|reply| Command::Abort { job_id, reason, reply }).await
    }

    async fn step_result(&self, step: &StepKey) -> Result<Option<Vec<u8>>, Error> {
        self.shared.reader.step_result(step).await
    }

    async fn keep_step(&self, step: &StepKey, result: &[u8]) -> Result<Vec<u8>, Error> {
        let (step, result) = (step.clone(), result.to_vec());
        self.shared.writer.ask(|reply| Command::KeepStep { step, result, reply }).await
    }

    async fn forget_steps(&self, after: Option<&JobId>) -> Result<Option<JobId>, Error> {
        let after = after.cloned();
        self.shared.writer.ask(|reply| Command::ForgetSteps { after, reply }).await
    }

    async fn keep_progress(&self, said: &[(JobId, Progress)]) -> Result<(), Error> {
        let said = said.to_vec();
        self.shared.writer.ask(|reply| Command::KeepProgress { said, reply }).await
    }

    async fn checkpoint(&self, source: &str) -> Result<Option<Value>, Error> {
        self.shared.reader.checkpoint(source).await
    }
}
