//! What operators ask of sources: where they stand, what crawls found, and that they look now.

use std::sync::Arc;

use serde_json::Value;
use waystation_core::clock::Timestamp;
use waystation_core::pipeline::{Stage, StageKind};
use waystation_core::port::{self, Signal};
use waystation_core::schedule::Schedule;

use super::Client;
use crate::control::locks::{self, Holder};
use crate::definition::DefinitionError;
use crate::graph::Graph;
use crate::sources::{self, Ask, Crawl, CrawlPage, SourceId};

/// Where a source stands.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceStanding {
    /// When it looks, as the worker said that came to it last.
    pub schedule: Option<Schedule>,
    /// When it is due; `None` when it is not by itself, or before anybody looked after it.
    pub due_at: Option<Timestamp>,
    /// What somebody asked of it that is not done yet.
    pub ask: Option<Ask>,
    /// Who crawls it now.
    pub crawler: Option<Holder>,
    /// The crawl that began last.
    pub last: Option<Crawl>,
    /// Its checkpoint.
    pub checkpoint: Option<Value>,
    /// How many of its looks failed since the last one that did not.
    pub failures: u32,
}

/// Why a source was not asked.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The newest version of the pipeline has no such source.
    #[error("pipeline `{}` has no source `{}` (its sources: {known})", id.pipeline, id.stage)]
    Unknown {
        /// What was named.
        id: SourceId,
        /// What there is.
        known: String,
    },
    /// Its items are brought to it.
    #[error(
        "source `{}/{}` never looks: its items are brought to it (hint: see its address with \
         `waystation sources show`)",
        .0.pipeline, .0.stage
    )]
    NeverLooks(SourceId),
    /// There is no such pipeline.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] port::Error),
}

impl Client {
    /// Where a source stands that the newest version of its pipeline has.
    pub async fn source(&self, id: &SourceId) -> Result<SourceStanding, SourceError> {
        self.check_source(id).await?;
        Ok(self.standing(id).await?)
    }

    /// Where a source stands that is known to be one.
    pub async fn standing(&self, id: &SourceId) -> Result<SourceStanding, port::Error> {
        let records = &*self.backend.records;
        let schedule = sources::plan(records, id).await?.map(|plan| plan.schedule);
        let ask = sources::ask(records, id).await?.map(|read| read.value);
        let state = sources::state(records, id).await?.map(|read| read.value);
        let due_at = match (&schedule, &state) {
            (Some(schedule), Some(state)) => sources::due(schedule, state, ask.as_ref()),
            _ => ask.as_ref().map(|ask| ask.at),
        };
        let last = match state.as_ref().and_then(|state| state.crawl.as_ref()) {
            Some(crawl_id) => sources::crawl(records, id, crawl_id).await?,
            None => None,
        };
        Ok(SourceStanding {
            schedule,
            due_at,
            ask,
            crawler: locks::holder(&self.backend, &id.lock()).await?,
            last,
            checkpoint: self.backend.store.checkpoint(&id.key()).await?,
            failures: state.map_or(0, |state| state.failures),
        })
    }

    /// A page of a source's crawls, newest first.
    pub async fn crawls(&self, id: &SourceId, page: CrawlPage) -> Result<Vec<Crawl>, port::Error> {
        sources::crawls(&*self.backend.records, id, page).await
    }

    /// Has a source look now, wherever it is looked after. Asking twice before it looks is asking
    /// once, as the second one said. While it crawls, it looks again when it is through.
    pub async fn crawl(&self, id: &SourceId, ask: Ask) -> Result<Ask, SourceError> {
        let graph = self.check_source(id).await?;
        self.check_looks(&graph, id)?;
        let ask = Ask { at: self.backend.clock.now(), ..ask };
        sources::put_ask(&*self.backend.records, id, &ask).await?;
        self.backend.bus.publish(Signal::Changed);
        Ok(ask)
    }

    async fn check_source(&self, id: &SourceId) -> Result<Arc<Graph>, SourceError> {
        let graph = self.registry.graph_of(&id.pipeline, None).await?;
        let is_source = |stage: &&Stage| graph.kind(&stage.id) == Some(StageKind::Source);
        let all = graph.pipeline.stages.iter().filter(is_source);
        let known: Vec<_> = all.map(|stage| stage.id.as_str()).collect();
        if known.contains(&id.stage.as_str()) {
            return Ok(graph);
        }
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        Err(SourceError::Unknown { id: id.clone(), known })
    }
}
