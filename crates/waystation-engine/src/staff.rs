//! Hires a worker for every stage that a living job may need: those of the pipeline that runs,
//! and those of the other versions that jobs are still on.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use waystation_core::id::{QueueName, StageId};
use waystation_core::pipeline::StageKind;
use waystation_core::port::{self, SETTLE_MAX};

use crate::backend::Backend;
use crate::definition::{Definition, Registry};
use crate::engine::{EngineError, Options};
use crate::lease_keeper::LeaseKeeper;
use crate::worker::{self, Worker};

/// The workers of one engine.
pub struct Staff {
    /// Where they work.
    pub backend: Backend,
    /// What they work on.
    pub registry: Registry,
    /// The pipeline that runs.
    pub definition: Arc<Definition>,
    /// How they work.
    pub options: Options,
    /// Keeps their leases.
    pub keeper: LeaseKeeper,
    /// Cancelled when they are to receive nothing more.
    pub drain: CancellationToken,
    /// The workers.
    pub workers: JoinSet<Result<(), EngineError>>,
    /// The stages that have one, each with its queue.
    pub stages: BTreeMap<StageId, QueueName>,
}

/// Where a worker works.
struct Post {
    queue: QueueName,
    concurrency: usize,
}

impl Staff {
    /// Hires a worker for each stage that needs one and has none. To be asked again and again:
    /// a dead letter that is tried again may need a stage that no living job needed before.
    pub async fn hire(&mut self) -> Result<(), port::Error> {
        for (stage, post) in self.needed().await? {
            if self.stages.contains_key(&stage) {
                continue;
            }
            let concurrency = post.concurrency;
            self.stages.insert(stage.clone(), post.queue.clone());
            let pipeline = &self.definition.pipeline.name;
            tracing::info!(%pipeline, %stage, concurrency, "serving");
            let options = worker::Options {
                pipeline: self.definition.pipeline.name.clone(),
                version: self.definition.version,
                stage,
                queue: post.queue,
                concurrency,
                lease: self.options.lease,
                grace: self.options.grace,
            };
            let (backend, registry) = (self.backend.clone(), self.registry.clone());
            let (keeper, drain) = (self.keeper.clone(), self.drain.clone());
            let worker = Worker::new(options, backend, registry, keeper, drain);
            self.workers.spawn(async move { worker.run().await.map_err(EngineError::from) });
        }
        Ok(())
    }

    /// Ends the workers that did not end by themselves, and returns what was left by those that
    /// ended before their time: what was fetched ahead for them, and what they had out. That was
    /// handed out, so it is counted.
    pub async fn dismiss(&mut self) {
        self.workers.shutdown().await;
        join_all(self.stages.values().map(|queue| self.backend.leave(queue))).await;
        for leases in self.keeper.release_all().chunks(SETTLE_MAX) {
            self.backend.abandon(leases).await;
        }
    }

    /// Every stage that needs a worker here. The pipeline that runs decides how it works, then the
    /// newest version that has the stage.
    async fn needed(&self) -> Result<BTreeMap<StageId, Post>, port::Error> {
        let name = &self.definition.pipeline.name;
        let mut definitions = vec![Arc::clone(&self.definition)];
        for version in self.backend.store.live_versions(name).await?.into_iter().rev() {
            if version == self.definition.version {
                continue;
            }
            match self.registry.version(name, version).await {
                Ok(other) => definitions.push(other),
                // Its jobs are left to other processes as they come up.
                Err(error) => tracing::warn!(pipeline = %name, version, %error, "not served here"),
            }
        }
        let mut stages = BTreeMap::new();
        for definition in &definitions {
            for stage in &definition.pipeline.stages {
                let served = self.options.stages.as_ref().is_none_or(|all| all.contains(&stage.id));
                if served && definition.kind(&stage.id) == Some(StageKind::Worker) {
                    let queue = definition.queue_of(&stage.id);
                    let post = Post { queue, concurrency: stage.concurrency };
                    stages.entry(stage.id.clone()).or_insert(post);
                }
            }
        }
        Ok(stages)
    }
}
