//! One source's worker: discover, submit with the checkpoint, wait, again.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::{JobId, StageId};
use waystation_core::job::Checkpoint;
use waystation_core::pipeline::{Onward, Stage, Traveller};
use waystation_core::port::Error;
use waystation_core::settlement::{Dedupe, NewJob};
use waystation_core::source::{BATCH_MAX, Discovery, Source};

use crate::backend::Backend;
use crate::control::Gate;
use crate::decide::{Plan, new_job};
use crate::definition::Definition;

/// The wait between two discoveries unless the stage's `polling_interval_seconds` says otherwise.
const INTERVAL: Duration = Duration::from_secs(30);
/// The wait after the store failed.
const PAUSE: Duration = Duration::from_secs(1);

/// One source's worker.
pub struct SourceWorker {
    /// The pipeline.
    pub definition: Arc<Definition>,
    /// The source's stage.
    pub stage: StageId,
    /// The code behind it.
    pub source: Arc<dyn Source>,
    /// Where jobs go.
    pub backend: Backend,
    /// What is paused.
    pub gate: Gate,
    /// Cancelled when it is to end.
    pub drain: CancellationToken,
}

/// Why a source's worker ended before it was told to.
#[derive(Debug)]
pub enum Ended {
    /// The source cannot work.
    Source(Failure),
    /// The store is gone for good.
    Store(Error),
}

impl SourceWorker {
    /// Discovers everything there is, once; nothing where somebody paused or drains it.
    pub async fn run_once(&self) -> Result<(), Ended> {
        if let Some(pause) = self.gate.silences(&self.definition.pipeline.name, &self.stage) {
            let (by, reason) = (pause.by, pause.reason);
            tracing::warn!(source = %self.stage, by, reason, "nothing is discovered: it is paused");
            return Ok(());
        }
        tokio::select! {
            result = self.crawl() => result.map(drop),
            () = self.drain.cancelled() => Ok(()),
        }
    }

    /// Discovers again and again. A source that fails at the very start ends it, since that is a
    /// mistake in the pipeline file; later failures pass.
    pub async fn run(&self) -> Result<(), Ended> {
        let mut first = true;
        while !self.drain.is_cancelled() {
            tokio::select! {
                () = self.may_discover() => {}
                () = self.drain.cancelled() => return Ok(()),
            }
            let crawled = tokio::select! {
                result = self.crawl() => result,
                () = self.drain.cancelled() => return Ok(()),
            };
            match crawled {
                Ok(created) if created > 0 => {
                    tracing::info!(source = %self.stage, created, "found new items");
                }
                Ok(_) => {}
                Err(Ended::Source(failure)) if !first => {
                    tracing::warn!(source = %self.stage, %failure, "discovery failed, trying on");
                }
                Err(ended) => return Err(ended),
            }
            first = false;
            tokio::select! {
                () = tokio::time::sleep(self.interval()) => {}
                () = self.drain.cancelled() => {}
            }
        }
        Ok(())
    }

    /// Waits until nobody pauses or drains it.
    async fn may_discover(&self) {
        let mut gate = self.gate.watched();
        while gate.silences(&self.definition.pipeline.name, &self.stage).is_some() {
            gate.changed().await;
        }
    }

    /// One whole discovery; gives the number of jobs it made.
    async fn crawl(&self) -> Result<usize, Ended> {
        let name = format!("{}/{}", self.definition.pipeline.name, self.stage);
        let mut checkpoint = self.stored(&name).await?;
        let mut created = 0;
        loop {
            let found = self.source.discover(checkpoint.clone()).await.map_err(Ended::Source)?;
            let more = found.more;
            checkpoint = found.checkpoint.clone().or(checkpoint);
            created += self.submit(&name, found).await?;
            if !more {
                return Ok(created);
            }
        }
    }

    async fn submit(&self, name: &str, found: Discovery) -> Result<usize, Ended> {
        let mut jobs = Vec::with_capacity(found.items.len());
        for item in found.items {
            let id = item.id.clone();
            match self.plan(item) {
                Ok(job) => jobs.push(job),
                // It stops no other item, and is found again when the source starts anew.
                Err(failure) => {
                    tracing::error!(source = name, item = id, %failure, "item leads nowhere");
                }
            }
        }
        let checkpoint =
            found.checkpoint.map(|value| Checkpoint { source: name.to_owned(), value });
        let mut created = 0;
        let mut jobs = jobs.into_iter().peekable();
        let mut first = checkpoint.is_some();
        while std::mem::take(&mut first) || jobs.peek().is_some() {
            let batch: Vec<NewJob> = jobs.by_ref().take(BATCH_MAX).collect();
            // The checkpoint covers all of them, so that it goes with the last ones.
            let checkpoint = if jobs.peek().is_none() { checkpoint.clone() } else { None };
            created += self.submit_batch(name, batch, checkpoint).await?;
        }
        Ok(created)
    }

    /// Submits jobs for as long as the store is away. An item that the store does not take is
    /// told and left: it is found again when the source starts anew, and stops no other.
    async fn submit_batch(
        &self,
        name: &str,
        mut jobs: Vec<NewJob>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<usize, Ended> {
        loop {
            match self.backend.queue.submit(jobs.clone(), checkpoint.clone()).await {
                Ok(submitted) => {
                    return Ok(submitted.iter().filter(|one| one.is_new()).count());
                }
                Err(error) if error.retryable() => {
                    tracing::warn!(source = name, %error, "found items not stored, trying on");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(Error::TooLarge { job_id, bytes, bytes_max }) => {
                    let large = |job: &NewJob| job.job_id.as_str() == job_id;
                    let item =
                        jobs.iter().find(|job| large(job)).and_then(|job| job.dedupe.clone());
                    let item = item.map(|dedupe| dedupe.key);
                    tracing::error!(source = name, ?item, bytes, bytes_max, "item is too large");
                    jobs.retain(|job| !large(job));
                }
                Err(error) => return Err(Ended::Store(error)),
            }
        }
    }

    /// The job of an item: it starts where the source's routes lead.
    fn plan(&self, item: waystation_core::source::Item) -> Result<NewJob, Failure> {
        let contract = |message: String| Failure::new(ErrorKind::Contract, message);
        let pipeline = &self.definition.pipeline;
        let label = waystation_core::id::Label::ok();
        let way = pipeline
            .onward(&self.stage, &label, Traveller::new(&item.params))
            .map_err(|error| contract(error.to_string()))?;
        let Onward::To(entry) = way.to else {
            return Err(contract(format!("source `{}` leads to no stage", self.stage)));
        };
        let (job_id, now) = (JobId::generate(), self.backend.clock.now());
        let tracer = self.backend.tracer.as_ref();
        let traceparent = tracer.and_then(|one| one.job(&job_id, &pipeline.name, now));
        let plan = Plan {
            job_id,
            params: item.params,
            entry: entry.clone(),
            entry_is_explicit: false,
            exit: None,
            dedupe: Some(Dedupe::new(format!("{}/{}", self.stage, item.id))),
            priority: 0,
            not_before: None,
            deadline: None,
            by: None,
            traceparent,
        };
        Ok(new_job(&self.definition, plan, Some(&self.stage), now))
    }

    async fn stored(&self, name: &str) -> Result<Option<serde_json::Value>, Ended> {
        loop {
            match self.backend.store.checkpoint(name).await {
                Err(error) if error.retryable() => tokio::time::sleep(PAUSE).await,
                result => return result.map_err(Ended::Store),
            }
        }
    }

    fn interval(&self) -> Duration {
        let stage = self.definition.pipeline.stage(&self.stage);
        let seconds = stage.and_then(|stage: &Stage| {
            stage.settings.get("polling_interval_seconds").and_then(serde_json::Value::as_f64)
        });
        seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()).unwrap_or(INTERVAL)
    }
}
