//! The remote stages that there are, and what makes attempts at each of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use waystation_core::id::{PipelineName, QueueName, StageId};
use waystation_core::pipeline::StageKind;

use super::room::Room;
use super::{ClaimRequest, Error};
use crate::client::Client;
use crate::control::{Gate, Roster};
use crate::definition::DefinitionError;
use crate::graph::Graph;
use crate::lease_keeper::LeaseKeeper;
use crate::progress_keeper::ProgressKeeper;
use crate::worker;
use crate::worker::attempt::Attempter;

/// How long is believed what stages a pipeline has.
const KNOWN_FOR: Duration = Duration::from_secs(2);
/// The most pipelines that are remembered.
const KNOWN_MAX: usize = 1_000;

/// A remote stage and its queue.
pub struct Post {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The stage.
    pub stage: StageId,
    /// Its queue.
    pub queue: QueueName,
    /// A version of its pipeline that has it.
    pub graph: Arc<Graph>,
    /// The version that contracts without one are taken for.
    version: u32,
    /// Makes attempts at it.
    pub attempter: Attempter,
    /// When somebody asked for work of it last. `None` once its queue was left.
    pub asked_at: Mutex<Option<Instant>>,
    /// How many jobs those want who wait for work of it.
    wanted: AtomicUsize,
    /// How many its queue has sent.
    room: Mutex<Room>,
}

/// That somebody waits for so many jobs, until it is dropped.
pub struct Wanting<'a>(&'a Post, usize);

/// What attempts are made with.
#[derive(Clone)]
pub struct Tools {
    /// The backend and the pipelines.
    pub client: Client,
    /// What is paused.
    pub gate: Gate,
    /// Knows whom somebody wants aborted.
    pub keeper: LeaseKeeper,
    /// Keeps how far attempts are.
    pub progress: ProgressKeeper,
}

/// The remote stages of each pipeline, and when that was found out.
type Known = HashMap<PipelineName, (Instant, Vec<Arc<Post>>)>;

/// The remote stages of the pipelines that were asked for.
pub struct Posts {
    tools: Tools,
    known: Mutex<Known>,
}

impl Posts {
    /// None is known yet.
    pub fn new(tools: Tools) -> Self {
        Self { tools, known: Mutex::default() }
    }

    /// Those that a worker asks for, in its order.
    pub async fn wanted(&self, request: &ClaimRequest) -> Result<Vec<Arc<Post>>, Error> {
        let all = self.of(&request.pipeline).await?;
        if request.stages.is_empty() && !all.is_empty() {
            return Ok(all);
        }
        let mut wanted = Vec::new();
        for stage in &request.stages {
            let of_it: Vec<_> = all.iter().filter(|post| post.stage == *stage).cloned().collect();
            if of_it.is_empty() {
                return Err(not_remote(&request.pipeline, stage, &all));
            }
            wanted.extend(of_it);
        }
        if wanted.is_empty() {
            return Err(not_remote(&request.pipeline, &StageId::from("*"), &all));
        }
        Ok(wanted)
    }

    /// The one that a claim was taken from.
    pub async fn of_claim(
        &self,
        pipeline: &PipelineName,
        stage: &StageId,
        queue: &QueueName,
    ) -> Result<Option<Arc<Post>>, Error> {
        let all = self.of(pipeline).await?;
        Ok(all.into_iter().find(|post| post.stage == *stage && post.queue == *queue))
    }

    /// Those whose queues nobody asked for work of for so long, once each.
    pub fn take_idle(&self, idle: Duration) -> Vec<QueueName> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut queues = Vec::new();
        for post in known.values().flat_map(|(_, posts)| posts) {
            let mut asked_at = post.asked_at.lock().unwrap_or_else(PoisonError::into_inner);
            if asked_at.is_some_and(|at| at.elapsed() >= idle) {
                *asked_at = None;
                queues.push(post.queue.clone());
            }
        }
        queues
    }

    /// All that are known.
    pub fn list(&self) -> Vec<Arc<Post>> {
        self.known().values().flat_map(|(_, posts)| posts).cloned().collect()
    }

    async fn of(&self, pipeline: &PipelineName) -> Result<Vec<Arc<Post>>, Error> {
        let before = match self.known().get(pipeline) {
            Some((at, posts)) if at.elapsed() < KNOWN_FOR => return Ok(posts.clone()),
            Some((_, posts)) => posts.clone(),
            None => Vec::new(),
        };
        let posts = self.find(pipeline, &before).await?;
        let mut known = self.known();
        if known.len() >= KNOWN_MAX {
            known.retain(|_, (at, _)| at.elapsed() < KNOWN_FOR);
        }
        known.insert(pipeline.clone(), (Instant::now(), posts.clone()));
        Ok(posts)
    }

    /// Those of the newest version, then those that older versions' living jobs still need.
    async fn find(
        &self,
        pipeline: &PipelineName,
        before: &[Arc<Post>],
    ) -> Result<Vec<Arc<Post>>, Error> {
        let registry = self.tools.client.registry();
        let newest = registry.graph_of(pipeline, None).await?;
        let version = newest.version;
        let mut graphs = vec![newest];
        let store = &self.tools.client.backend().store;
        for living in store.live_versions(pipeline).await?.into_iter().rev() {
            match registry.graph(pipeline, living).await {
                Ok(graph) if living != version => graphs.push(graph),
                Ok(_) => {}
                Err(DefinitionError::Store(error)) => return Err(error.into()),
                Err(error) => tracing::debug!(%pipeline, living, %error, "not known here"),
            }
        }
        let mut posts: Vec<Arc<Post>> = Vec::new();
        for graph in &graphs {
            for (stage, queue) in graph.queues() {
                let is_remote = graph.kind(stage) == Some(StageKind::Remote);
                let same = |post: &&Arc<Post>| post.stage == *stage && post.queue == queue;
                if !is_remote || posts.iter().any(|post| same(&post)) {
                    continue;
                }
                let known = before.iter().find(|post| same(post) && post.version == version);
                posts.push(
                    known.cloned().unwrap_or_else(|| {
                        Arc::new(self.post(graph, version, stage.clone(), queue))
                    }),
                );
            }
        }
        Ok(posts)
    }

    fn post(&self, graph: &Arc<Graph>, version: u32, stage: StageId, queue: QueueName) -> Post {
        let pipeline = graph.pipeline.name.clone();
        let Tools { client, gate, keeper, progress } = self.tools.clone();
        let options = worker::Options {
            pipeline: pipeline.clone(),
            version,
            stage: stage.clone(),
            queue: queue.clone(),
            concurrency: usize::MAX,
            together: 1,
            lease: Duration::ZERO,
            grace: Duration::ZERO,
            progress,
            gate,
            roster: Roster::apart(keeper.clone()),
        };
        let (backend, registry) = (client.backend(), client.registry().clone());
        let attempter = Attempter::new(&options, backend, registry, keeper).for_remote_workers();
        let graph = Arc::clone(graph);
        let (asked_at, wanted) = (Mutex::new(None), AtomicUsize::new(0));
        let room = Mutex::new(Room::new());
        Post { pipeline, stage, queue, graph, version, attempter, asked_at, wanted, room }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Post {
    /// Somebody asks for work of it.
    pub fn asked(&self) {
        *self.asked_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Somebody waits for so many jobs of it.
    pub fn wants(&self, jobs: usize) -> Wanting<'_> {
        self.wanted.fetch_add(jobs, Ordering::AcqRel);
        Wanting(self, jobs)
    }

    /// How many its queue has sent, to be looked at or changed.
    pub fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many jobs those want who wait.
    pub fn wanted(&self) -> usize {
        self.wanted.load(Ordering::Acquire)
    }
}

impl Drop for Wanting<'_> {
    fn drop(&mut self) {
        self.0.wanted.fetch_sub(self.1, Ordering::AcqRel);
    }
}

fn not_remote(pipeline: &PipelineName, stage: &StageId, all: &[Arc<Post>]) -> Error {
    let known: Vec<_> = all.iter().map(|post| post.stage.as_str()).collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    Error::NotRemote { pipeline: pipeline.clone(), stage: stage.clone(), known }
}
