//! Hires a worker for every queue that a living job may need: those of the pipeline that runs,
//! and those of the other versions that jobs are still on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use waystation_core::id::{QueueName, StageId};
use waystation_core::pipeline::StageKind;
use waystation_core::port::{self, SETTLE_MAX};

use crate::backend::Backend;
use crate::control::{Gate, Roster, Serving};
use crate::definition::{Definition, Registry};
use crate::engine::{EngineError, Options};
use crate::graph::Graph;
use crate::lease_keeper::LeaseKeeper;
use crate::progress_keeper::ProgressKeeper;
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
    /// Keeps how far their attempts are.
    pub progress: ProgressKeeper,
    /// Cancelled when they are to receive nothing more.
    pub drain: CancellationToken,
    /// What is paused.
    pub gate: Gate,
    /// What they do, for those who look on.
    pub roster: Roster,
    /// The workers.
    pub workers: JoinSet<Result<(), EngineError>>,
    /// The posts that have one.
    pub posts: BTreeSet<Post>,
}

/// Where a worker works. Versions of a pipeline may name different queues for the same stage.
pub type Post = (StageId, QueueName);

/// How much a worker takes on at a time.
struct Pace {
    concurrency: usize,
    /// Of one key.
    together: usize,
}

impl Staff {
    /// The pipeline that runs, then the other versions that jobs are still on, newest first. To be
    /// asked again and again: a dead letter that is tried again may need a version that no living
    /// job needed before.
    pub async fn living(&self) -> Result<Vec<Arc<Graph>>, port::Error> {
        let name = &self.definition.pipeline.name;
        let mut graphs = vec![Arc::clone(self.definition.graph())];
        for version in self.backend.store.live_versions(name).await?.into_iter().rev() {
            if version == self.definition.version {
                continue;
            }
            match self.registry.graph(name, version).await {
                Ok(other) => graphs.push(other),
                Err(error) => tracing::warn!(pipeline = %name, version, %error, "not known here"),
            }
        }
        Ok(graphs)
    }

    /// Hires a worker for each post of these versions that needs one and has none.
    pub async fn hire(&mut self, living: &[Arc<Graph>]) {
        for (post, Pace { concurrency, together }) in self.needed(living).await {
            if !self.posts.insert(post.clone()) {
                continue;
            }
            let (stage, queue) = post;
            let pipeline = &self.definition.pipeline.name;
            tracing::info!(%pipeline, %stage, %queue, concurrency, "serving");
            self.roster.add(Serving {
                pipeline: pipeline.clone(),
                stage: stage.clone(),
                queue: queue.clone(),
                concurrency: Some(concurrency as u64),
                in_flight: 0,
                partitions: BTreeSet::new(),
            });
            let options = worker::Options {
                pipeline: pipeline.clone(),
                version: self.definition.version,
                stage,
                queue,
                concurrency,
                together,
                lease: self.options.lease,
                grace: self.options.grace,
                progress: self.progress.clone(),
                gate: self.gate.clone(),
                roster: self.roster.clone(),
            };
            let (backend, registry) = (self.backend.clone(), self.registry.clone());
            let (keeper, drain) = (self.keeper.clone(), self.drain.clone());
            let worker = Worker::new(options, backend, registry, keeper, drain);
            self.workers.spawn(async move { worker.run().await.map_err(EngineError::from) });
        }
    }

    /// Ends the workers that did not end by themselves, and returns what was left by those that
    /// ended before their time: what was fetched ahead for them, and what they had out. That was
    /// handed out, so it is counted.
    pub async fn dismiss(&mut self) {
        self.workers.shutdown().await;
        join_all(self.posts.iter().map(|(_, queue)| self.backend.leave(queue))).await;
        for leases in self.keeper.release_all().chunks(SETTLE_MAX) {
            self.backend.abandon(leases).await;
        }
    }

    /// Every post that needs a worker here, and its pace: the first version that has it decides.
    async fn needed(&self, living: &[Arc<Graph>]) -> BTreeMap<Post, Pace> {
        let mut posts = BTreeMap::new();
        for graph in living {
            let Some(definition) = self.ready(graph.version).await else { continue };
            for stage in &definition.pipeline.stages {
                let served = self.options.stages.as_ref().is_none_or(|all| all.contains(&stage.id));
                if served && definition.kind(&stage.id) == Some(StageKind::Worker) {
                    let post = (stage.id.clone(), definition.queue_of(&stage.id));
                    let together = stage.key.as_ref().map_or(1, |key| key.together);
                    let pace = Pace { concurrency: stage.concurrency, together };
                    posts.entry(post).or_insert(pace);
                }
            }
        }
        posts
    }

    /// A version with its code. The jobs of one that cannot be made ready here are left to other
    /// processes as they come up.
    async fn ready(&self, version: u32) -> Option<Arc<Definition>> {
        if version == self.definition.version {
            return Some(Arc::clone(&self.definition));
        }
        let name = &self.definition.pipeline.name;
        match self.registry.version(name, version).await {
            Ok(definition) => Some(definition),
            Err(error) => {
                tracing::warn!(pipeline = %name, version, %error, "not served here");
                None
            }
        }
    }
}
