//! The store port: writes go through the writer, reads through a connection of their own.

use async_trait::async_trait;
use serde_json::Value;
use waystation_core::event::{Event, LogLine};
use waystation_core::id::{JobId, PipelineName};
use waystation_core::job::{
    Awaited, ChildRecord, Count, DeadLetterRecord, JobFilter, JobRecord, PAGE_MAX, PipelineRecord,
    TaskRecord,
};
use waystation_core::port::{Abort, Error, Store};
use waystation_core::progress::Progress;
use waystation_core::step::StepKey;
use waystation_core::{clock::Timestamp, id::QueueName, job::*, port::*, statistics::*};

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
        let now = self.shared.clock.now();
        let jobs = self.shared.reader.jobs(&filter, now).await?;
        let next = jobs.last().map(|job| job.job_id.clone());
        Ok(JobPage { jobs, next })
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

    async fn feed(&self, _: Option<u64>, _: usize) -> Result<Feed, Error> {
        Err(Error::Broken { name: "store".to_owned(), message: "not built yet".to_owned() })
    }
    async fn statistics(&self, _: Period) -> Result<Vec<Statistic>, Error> {
        Err(Error::Broken { name: "store".to_owned(), message: "not built yet".to_owned() })
    }
    async fn forget_statistics(&self, _: Timestamp) -> Result<(), Error> {
        Err(Error::Broken { name: "store".to_owned(), message: "not built yet".to_owned() })
    }
    async fn depths(&self) -> Result<Vec<(QueueName, Depth)>, Error> {
        Err(Error::Broken { name: "store".to_owned(), message: "not built yet".to_owned() })
    }
    async fn tasks(&self, _: TaskFilter) -> Result<Vec<TaskRecord>, Error> {
        Err(Error::Broken { name: "store".to_owned(), message: "not built yet".to_owned() })
    }
    async fn change_task(&self, _: i64, _: TaskChange) -> Result<TaskChanged, Error> {
        Err(Error::Broken { name: "store".to_owned(), message: "not built yet".to_owned() })
    }
    async fn dead_letters(&self, _: DeadLetterFilter) -> Result<Vec<DeadLetterRecord>, Error> {
        Err(Error::Broken { name: "store".to_owned(), message: "not built yet".to_owned() })
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

#[async_trait]
impl Records for crate::Postgres {
    async fn put_record(
        &self,
        _: &str,
        _: &str,
        _: &Value,
        _: Expected,
        _: Option<Timestamp>,
    ) -> Result<Put, Error> {
        Err(Error::Broken { name: "store".to_owned(), message: "not built yet".to_owned() })
    }
    async fn record(&self, _: &str, _: &str) -> Result<Option<Record>, Error> {
        Err(Error::Broken { name: "store".to_owned(), message: "not built yet".to_owned() })
    }
    async fn records(&self, _: &str, _: RecordPage) -> Result<Vec<Record>, Error> {
        Err(Error::Broken { name: "store".to_owned(), message: "not built yet".to_owned() })
    }
    async fn remove_record(&self, _: &str, _: &str, _: Expected) -> Result<bool, Error> {
        Err(Error::Broken { name: "store".to_owned(), message: "not built yet".to_owned() })
    }
    async fn clear_expired_records(&self) -> Result<usize, Error> {
        Ok(0)
    }
}
