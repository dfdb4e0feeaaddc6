//! The store port: writes go through the writer, reads through connections of their own.

use async_trait::async_trait;
use serde_json::Value;
use waystation_core::clock::Timestamp;
use waystation_core::event::{Event, LogLine};
use waystation_core::id::{JobId, PipelineName, QueueName};
use waystation_core::job::{
    Awaited, Behind, ChildRecord, Count, DeadLetterFilter, DeadLetterRecord, Feed, JobFilter,
    JobPage, JobRecord, PipelineRecord, TaskFilter, TaskRecord,
};
use waystation_core::port::{
    Abort, Depth, Error, Store, TaskChange, TaskChanged, check_task_change,
};
use waystation_core::progress::Progress;
use waystation_core::statistics::{Period, Statistic};
use waystation_core::step::StepKey;

use crate::Sqlite;
use crate::reader;
use crate::writer::Command;

#[async_trait]
impl Store for Sqlite {
    async fn put_pipeline(&self, name: &PipelineName, source: &str) -> Result<u32, Error> {
        let (name, source) = (name.clone(), source.to_owned());
        self.shared.writer.ask(|reply| Command::PutPipeline { name, source, reply }).await
    }

    async fn pipeline(
        &self,
        name: &PipelineName,
        version: Option<u32>,
    ) -> Result<Option<PipelineRecord>, Error> {
        let name = name.clone();
        self.read(move |connection| reader::pipeline(connection, &name, version)).await
    }

    async fn pipelines(&self) -> Result<Vec<(PipelineName, u32)>, Error> {
        self.read(reader::pipelines).await
    }

    async fn live_versions(&self, name: &PipelineName) -> Result<Vec<u32>, Error> {
        let name = name.clone();
        self.read(move |connection| reader::live_versions(connection, &name)).await
    }

    async fn job(&self, job_id: &JobId) -> Result<Option<JobRecord>, Error> {
        let (job_id, now) = (job_id.clone(), self.shared.clock.now());
        self.read(move |connection| reader::job(connection, &job_id, now)).await
    }

    async fn jobs(&self, filter: JobFilter) -> Result<JobPage, Error> {
        let now = self.shared.clock.now();
        self.read(move |connection| reader::jobs(connection, &filter, now)).await
    }

    async fn children(
        &self,
        parent: &JobId,
        visit: u32,
        from: u32,
        limit: usize,
    ) -> Result<Vec<ChildRecord>, Error> {
        let (parent, now) = (parent.clone(), self.shared.clock.now());
        self.read(move |connection| reader::children(connection, &parent, visit, from, limit, now))
            .await
    }

    async fn awaited(&self, job_id: &JobId) -> Result<Option<Awaited>, Error> {
        let job_id = job_id.clone();
        self.read(move |connection| reader::awaited(connection, &job_id)).await
    }

    async fn behind(&self, job_id: &JobId) -> Result<Option<Behind>, Error> {
        let job_id = job_id.clone();
        self.read(move |connection| reader::behind(connection, &job_id)).await
    }

    async fn counts(&self, pipeline: Option<&PipelineName>) -> Result<Vec<Count>, Error> {
        let (pipeline, now) = (pipeline.cloned(), self.shared.clock.now());
        self.read(move |connection| reader::counts(connection, pipeline.as_ref(), now)).await
    }

    async fn events(&self, job_id: &JobId) -> Result<Vec<Event>, Error> {
        let job_id = job_id.clone();
        self.read(move |connection| reader::events(connection, &job_id)).await
    }

    async fn log(&self, job_id: &JobId) -> Result<Vec<LogLine>, Error> {
        let job_id = job_id.clone();
        self.read(move |connection| reader::log(connection, &job_id)).await
    }

    async fn task(&self, task_id: i64) -> Result<Option<TaskRecord>, Error> {
        self.read(move |connection| reader::task(connection, task_id)).await
    }

    async fn feed(&self, after: Option<u64>, limit: usize) -> Result<Feed, Error> {
        self.read(move |connection| reader::feed(connection, after, limit)).await
    }

    async fn statistics(&self, period: Period) -> Result<Vec<Statistic>, Error> {
        self.read(move |connection| reader::statistics(connection, &period)).await
    }

    async fn forget_statistics(&self, before: Timestamp) -> Result<(), Error> {
        let forget = |reply| Command::ForgetStatistics { before, reply };
        while self.shared.writer.ask(forget).await? {}
        Ok(())
    }

    async fn depths(&self) -> Result<Vec<(QueueName, Depth)>, Error> {
        let now = self.shared.clock.now();
        self.read(move |connection| reader::depths(connection, now)).await
    }

    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskRecord>, Error> {
        let now = self.shared.clock.now();
        self.read(move |connection| reader::tasks(connection, &filter, now)).await
    }

    async fn change_task(&self, task_id: i64, change: TaskChange) -> Result<TaskChanged, Error> {
        check_task_change(task_id, &change)?;
        self.shared.writer.ask(|reply| Command::ChangeTask { task_id, change, reply }).await
    }

    async fn dead_letters(&self, filter: DeadLetterFilter) -> Result<Vec<DeadLetterRecord>, Error> {
        self.read(move |connection| reader::dead_letters(connection, &filter)).await
    }

    async fn abort(&self, job_id: &JobId, reason: &str) -> Result<Abort, Error> {
        let (job_id, reason) = (job_id.clone(), reason.to_owned());
        self.shared.writer.ask(|reply| Command::Abort { job_id, reason, reply }).await
    }

    async fn step_result(&self, step: &StepKey) -> Result<Option<Vec<u8>>, Error> {
        let step = step.clone();
        self.read(move |connection| reader::step_result(connection, &step)).await
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
        let source = source.to_owned();
        self.read(move |connection| reader::checkpoint(connection, &source)).await
    }
}
