//! Sources whose items are brought: what a call to one must prove, and the jobs that it makes.

use std::sync::Arc;

use waystation_core::hook::{Call, Hook, ITEMS_MAX, Refusal};
use waystation_core::id::StageId;
use waystation_core::pipeline::{Executor, Problem, Problems, Stage, StageKind};
use waystation_core::port;
use waystation_core::settlement::{NewJob, Submitted};
use waystation_core::source::Item;

use super::{Client, SourceError};
use crate::control::Pause;
use crate::definition::{DefinitionError, Registry};
use crate::graph::Graph;
use crate::lanes::{self, Full};
use crate::sources::{self, SourceId};

/// A hook of the newest version of its pipeline.
pub struct Hooked {
    graph: Arc<Graph>,
    stage: StageId,
    hook: Arc<dyn Hook>,
}

/// Why a call made no jobs.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// There is no such hook.
    #[error("pipeline `{}` has no stage `{}` that can be called", .0.pipeline, .0.stage)]
    Unknown(SourceId),
    /// The call is not taken.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Somebody paused the source, or drains its pipeline.
    #[error(
        "source `{}/{}` takes nothing for now: {by} paused it ({reason})",
        id.pipeline, id.stage
    )]
    Paused {
        /// The source.
        id: SourceId,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// As many jobs wait where its items begin as may.
    #[error(transparent)]
    Full(#[from] Full),
    /// The pipeline cannot be read here, or its stage is not ready.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] port::Error),
}

impl Hooked {
    /// What is asked of calls.
    pub fn hook(&self) -> &dyn Hook {
        &*self.hook
    }
}

impl Client {
    /// The hook of this name, if there is one.
    pub async fn hook(&self, id: &SourceId) -> Result<Hooked, HookError> {
        let graph = match self.registry.graph_of(&id.pipeline, None).await {
            Err(DefinitionError::Unknown(_)) => return Err(HookError::Unknown(id.clone())),
            graph => graph?,
        };
        match self.registry.hook(&graph, &id.stage)? {
            Some(hook) => Ok(Hooked { graph, stage: id.stage.clone(), hook }),
            None => Err(HookError::Unknown(id.clone())),
        }
    }

    /// Whether items are brought to this source, so that it never looks.
    pub fn is_hook(&self, graph: &Graph, stage: &StageId) -> bool {
        let stage = graph.pipeline.stage(stage);
        stage.is_some_and(|stage| self.registry.catalog().is_hook(&stage.kind))
    }

    /// Makes a job of each item of a call, in one commit. What is wrong with any of them keeps all
    /// from being made. An item that came before is answered with its job.
    ///
    /// Whether the call proved where it comes from is for the caller to ask before.
    pub async fn take(
        &self,
        hooked: &Hooked,
        call: &Call<'_>,
    ) -> Result<Vec<Submitted>, HookError> {
        let Hooked { graph, stage, hook } = hooked;
        let id = SourceId { pipeline: graph.pipeline.name.clone(), stage: stage.clone() };
        self.check_awake(&id).await?;
        graph.check_queues().map_err(DefinitionError::from)?;
        let items = hook.items(call)?;
        if items.len() > ITEMS_MAX {
            let why = format!("{} items, more than the {ITEMS_MAX} of a call", items.len());
            return Err(Refusal::TooLarge(why).into());
        }
        let jobs = self.plan_all(graph, stage, items)?;
        if let Some(full) = lanes::look(&self.backend, graph, jobs.iter()).await? {
            return Err(full.into());
        }
        Ok(self.backend.queue.submit(jobs, None).await?)
    }

    fn plan_all(
        &self,
        graph: &Graph,
        stage: &StageId,
        items: Vec<Item>,
    ) -> Result<Vec<NewJob>, Refusal> {
        let plan = |item: Item| {
            let what = item.id.clone();
            let planned = sources::plan_item(&self.backend, graph, stage, item, None);
            planned.map_err(|failure| Refusal::Misfit(format!("item `{what}`: {failure}")))
        };
        items.into_iter().map(plan).collect()
    }

    /// Refuses what is for a source that is paused, as far as that is known: at most a second ago.
    async fn check_awake(&self, id: &SourceId) -> Result<(), HookError> {
        let pauses = self.view.see(&*self.backend.records).await;
        match pauses.silences(&id.pipeline, &id.stage) {
            None => Ok(()),
            Some(Pause { by, reason, .. }) => {
                let (id, by, reason) = (id.clone(), by.clone(), reason.clone());
                Err(HookError::Paused { id, by, reason })
            }
        }
    }

    /// Refuses to have a source look that never does.
    pub(super) fn check_looks(&self, graph: &Graph, id: &SourceId) -> Result<(), SourceError> {
        if self.is_hook(graph, &id.stage) {
            return Err(SourceError::NeverLooks(id.clone()));
        }
        Ok(())
    }
}

impl Registry {
    /// The hook behind a stage; `None` where the stage is none. Its code is made of this stage
    /// alone: the code of the others need not be known here.
    fn hook(
        &self,
        graph: &Graph,
        stage: &StageId,
    ) -> Result<Option<Arc<dyn Hook>>, DefinitionError> {
        let found = graph.pipeline.stage(stage).filter(|stage| {
            graph.kind(&stage.id) == Some(StageKind::Source) && self.catalog().is_hook(&stage.kind)
        });
        let Some(stage) = found else { return Ok(None) };
        let place = (graph.pipeline.name.clone(), graph.version, stage.id.clone());
        if let Some(known) = self.hooks().get(&place) {
            return Ok(Some(Arc::clone(known)));
        }
        let hook = self.make_hook(stage).map_err(|messages| {
            let origin = format!("{} version {}", graph.pipeline.name, graph.version);
            let list = messages
                .into_iter()
                .map(|message| Problem::new(format!("stage `{}`: {message}", stage.id)));
            Problems { origin, list: list.collect() }
        })?;
        self.hooks().insert(place, Arc::clone(&hook));
        Ok(Some(hook))
    }

    /// A name that has no value here stands in the settings as it was written, where anybody who
    /// knows the file could sign with it: such a stage is not made.
    fn make_hook(&self, stage: &Stage) -> Result<Arc<dyn Hook>, Vec<String>> {
        let open = stage.settings.iter().filter(|(_, value)| value.to_string().contains("${"));
        let open: Vec<_> = open
            .map(|(name, _)| format!("setting `{name}` names a variable that has no value here"))
            .collect();
        if !open.is_empty() {
            return Err(open);
        }
        match self.catalog().build(stage)? {
            Executor::Hook(hook) => Ok(hook),
            _ => Err(vec![format!("type `{}` is brought nothing", stage.kind)]),
        }
    }
}
