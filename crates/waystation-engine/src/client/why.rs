//! Gathers what must be known to say why a job is where it is.

use std::time::Duration;

use serde::Serialize;
use waystation_core::clock::Timestamp;
use waystation_core::id::JobId;
use waystation_core::job::{DeadLetterFilter, JobRecord, PAGE_MAX, TaskFilter};
use waystation_core::port;
use waystation_core::state::JobState;
use waystation_core::statistics::{Measure, Period};

use super::Client;
use crate::control::{pauses, presence};
use crate::definition::DefinitionError;
use crate::why::{Facts, StageFacts, Why, why};

/// Over how many minutes is told how many attempts begin.
const LATELY_MINUTES: u32 = 5;
/// The most pages of wanted aborts that are looked through for one.
const MARK_PAGES_MAX: usize = 5;

/// Why a job is where it is.
#[derive(Clone, Debug, Serialize)]
pub struct Explained {
    /// The job.
    pub job: JobRecord,
    /// The reasons, the one that matters most first.
    pub why: Vec<Why>,
    /// The same in words.
    pub words: Vec<String>,
    /// The moment at which that was so.
    pub at: Timestamp,
}

impl Client {
    /// Why a job is where it is, and what it waits for. `None` where there is no such job.
    pub async fn why(&self, job_id: &JobId) -> Result<Option<Explained>, port::Error> {
        let Some(job) = self.backend.store.job(job_id).await? else { return Ok(None) };
        let facts = self.facts(job).await?;
        let (reasons, at) = (why(&facts), facts.now);
        let words = reasons.iter().map(|reason| reason.words(at)).collect();
        Ok(Some(Explained { job: facts.job, why: reasons, words, at }))
    }

    /// Asks only for what says something in the job's state.
    async fn facts(&self, job: JobRecord) -> Result<Facts, port::Error> {
        let backend = &self.backend;
        let (store, records) = (&*backend.store, &*backend.records);
        let job_id = job.job_id.clone();
        let (is_over, waits) = (job.state.is_terminal(), job.state == JobState::Waiting);
        let in_line = !is_over && !waits && job.state != JobState::Running;
        let mut facts = Facts {
            now: backend.clock.now(),
            events: store.events(&job_id).await?,
            stage: self.stage_facts(&job).await?,
            job,
            workers: Vec::new(),
            pauses: pauses::Pauses::default(),
            task: None,
            awaited: None,
            behind: None,
            depth: None,
            per_minute: None,
            is_brokered: backend.books.is_some(),
            abort_wanted: None,
            has_letter: false,
        };
        if !is_over {
            facts.workers = presence::read(records).await?;
            facts.pauses = pauses::read(records).await?;
            facts.abort_wanted = self.abort_wanted(&job_id).await?;
        }
        if facts.job.state == JobState::Failed {
            let letters = store.dead_letters(DeadLetterFilter::of_job(&job_id)).await?;
            facts.has_letter = !letters.is_empty();
        }
        if waits {
            let filter = TaskFilter { job_id: Some(job_id.clone()), ..TaskFilter::first(1) };
            facts.task = store.tasks(filter).await?.into_iter().next();
            facts.awaited = store.awaited(&job_id).await?;
        }
        if in_line {
            facts.behind = store.behind(&job_id).await?;
        }
        if let Some(stage) = facts.stage.clone().filter(|_| in_line) {
            facts.depth = Some(self.depth(&stage.queue).await?);
            facts.per_minute = self.per_minute(&facts.job, facts.now).await?;
        }
        Ok(facts)
    }

    /// Why somebody wants a job aborted that a broker has: mostly few do, of few jobs.
    async fn abort_wanted(&self, job_id: &JobId) -> Result<Option<String>, port::Error> {
        let Some(books) = &self.backend.books else { return Ok(None) };
        let mut after: Option<JobId> = None;
        for _ in 0..MARK_PAGES_MAX {
            let marks = books.ledger.abort_marks(after.as_ref(), PAGE_MAX).await?;
            after = marks.last().map(|(last, _)| last.clone());
            let is_last = marks.len() < PAGE_MAX;
            let found = marks.into_iter().find(|(marked, _)| marked == job_id);
            if found.is_some() || is_last {
                return Ok(found.map(|(_, reason)| reason));
            }
        }
        Ok(None)
    }

    /// The job's stage, in the job's version.
    async fn stage_facts(&self, job: &JobRecord) -> Result<Option<StageFacts>, port::Error> {
        let graph = match self.registry.graph(&job.pipeline, job.pipeline_version).await {
            Ok(graph) => graph,
            Err(DefinitionError::Store(error)) => return Err(error),
            Err(error) => {
                tracing::debug!(pipeline = %job.pipeline, %error, "not known here");
                return Ok(None);
            }
        };
        let stage = graph.pipeline.stage(&job.stage).zip(graph.kind(&job.stage));
        Ok(stage.map(|(stage, kind)| StageFacts {
            kind,
            queue: graph.pipeline.queue_of(stage),
            attempts_max: stage.retry.max_retries.saturating_add(1),
        }))
    }

    /// How many attempts began at the job's stage in a minute, of late.
    async fn per_minute(
        &self,
        job: &JobRecord,
        now: Timestamp,
    ) -> Result<Option<f64>, port::Error> {
        let from = now.minus(Duration::from_mins(u64::from(LATELY_MINUTES)));
        let counted = self.backend.store.statistics(Period::Minutes(from, now)).await?;
        let began = counted.iter().filter(|one| {
            let key = &one.key;
            key.measure == Measure::Started
                && key.pipeline == job.pipeline
                && key.stage == job.stage
        });
        let began: u64 = began.map(|one| one.sum.count).sum();
        Ok((began > 0).then(|| began as f64 / f64::from(LATELY_MINUTES)))
    }
}
