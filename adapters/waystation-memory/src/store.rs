//! The store port: reads under the mutex, and the two writes that are no settlement.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use serde_json::Value;
use waystation_core::clock::Timestamp;
use waystation_core::event::{Event, LogLine};
use waystation_core::id::{JobId, PipelineName};
use waystation_core::job::{
    Count, DeadLetterRecord, JobFilter, JobRecord, PAGE_MAX, PipelineRecord, TaskRecord,
};
use waystation_core::port::{Abort, Bus, Error, Signal, Store};
use waystation_core::progress::Progress;
use waystation_core::step::StepKey;

use crate::Memory;
use crate::state::State;

#[async_trait]
impl Store for Memory {
    async fn put_pipeline(&self, name: &PipelineName, source: &str) -> Result<u32, Error> {
        Ok(self.visit(|state, _| {
            let sources = state.pipelines.entry(name.clone()).or_default();
            if sources.last().is_none_or(|newest| newest != source) {
                sources.push(source.to_owned());
            }
            sources.len() as u32
        }))
    }

    async fn pipeline(
        &self,
        name: &PipelineName,
        version: Option<u32>,
    ) -> Result<Option<PipelineRecord>, Error> {
        Ok(self.visit(|state, _| {
            let sources = state.pipelines.get(name)?;
            let version = version.unwrap_or(sources.len() as u32);
            let source = sources.get((version as usize).checked_sub(1)?)?;
            Some(PipelineRecord { name: name.clone(), version, source: source.clone() })
        }))
    }

    async fn pipelines(&self) -> Result<Vec<(PipelineName, u32)>, Error> {
        let pipelines: BTreeMap<PipelineName, u32> = self.visit(|state, _| {
            let pipelines = state.pipelines.iter();
            pipelines.map(|(name, sources)| (name.clone(), sources.len() as u32)).collect()
        });
        Ok(pipelines.into_iter().take(PAGE_MAX).collect())
    }

    async fn live_versions(&self, name: &PipelineName) -> Result<Vec<u32>, Error> {
        let versions: BTreeSet<u32> = self.visit(|state, _| {
            let jobs = state.jobs.values();
            jobs.filter(|job| job.pipeline == *name && !job.state.is_terminal())
                .map(|job| job.pipeline_version)
                .collect()
        });
        Ok(versions.into_iter().collect())
    }

    async fn job(&self, job_id: &JobId) -> Result<Option<JobRecord>, Error> {
        Ok(self.visit(|state, now| {
            let job = state.jobs.get(job_id)?;
            Some(state.record(job_id, job, now))
        }))
    }

    async fn jobs(&self, filter: JobFilter) -> Result<Vec<JobRecord>, Error> {
        Ok(self.visit(|state, now| state.page(&filter, now)))
    }

    async fn counts(&self, pipeline: Option<&PipelineName>) -> Result<Vec<Count>, Error> {
        let mut counts = BTreeMap::new();
        self.visit(|state, now| {
            for job in state.jobs.values() {
                if pipeline.is_none_or(|name| job.pipeline == *name) {
                    let key = (job.stage.clone(), state.shown_state(job, now));
                    *counts.entry(key).or_insert(0) += 1;
                }
            }
        });
        Ok(counts.into_iter().map(|((stage, state), jobs)| Count { stage, state, jobs }).collect())
    }

    async fn events(&self, job_id: &JobId) -> Result<Vec<Event>, Error> {
        Ok(self.visit(|state, _| {
            let job = state.jobs.get(job_id);
            let mut events = job.map_or_else(Vec::new, |job| job.events.clone());
            // A journal may tell them in another order than they happened in.
            events.sort_by_key(|event| (event.visit, event.at));
            events
        }))
    }

    async fn log(&self, job_id: &JobId) -> Result<Vec<LogLine>, Error> {
        Ok(self.visit(|state, _| {
            let job = state.jobs.get(job_id);
            job.map_or_else(Vec::new, |job| job.log.clone())
        }))
    }

    async fn task(&self, task_id: i64) -> Result<Option<TaskRecord>, Error> {
        Ok(self.visit(|state, _| state.tasks.get(&task_id).cloned()))
    }

    async fn tasks(
        &self,
        pipeline: Option<&PipelineName>,
        limit: usize,
    ) -> Result<Vec<TaskRecord>, Error> {
        Ok(self.visit(|state, _| {
            let tasks = state.tasks.values();
            tasks
                .filter(|task| pipeline.is_none_or(|name| task.pipeline == *name))
                .take(limit.min(PAGE_MAX))
                .cloned()
                .collect()
        }))
    }

    async fn dead_letters(
        &self,
        job_id: Option<&JobId>,
        limit: usize,
    ) -> Result<Vec<DeadLetterRecord>, Error> {
        Ok(self.visit(|state, _| {
            let letters = state.dead_letters.values().rev();
            letters
                .filter(|letter| job_id.is_none_or(|job_id| letter.job_id == *job_id))
                .take(limit.min(PAGE_MAX))
                .cloned()
                .collect()
        }))
    }

    async fn abort(&self, job_id: &JobId, reason: &str) -> Result<Abort, Error> {
        let answer = self.visit(|state, now| state.abort(job_id, reason, now));
        match answer {
            Abort::Done => self.publish(Signal::Changed),
            Abort::Requested => {
                self.publish(Signal::Abort { job_id: job_id.clone(), reason: reason.to_owned() });
            }
            Abort::TooLate | Abort::Unknown => {}
        }
        Ok(answer)
    }

    async fn step_result(&self, step: &StepKey) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.visit(|state, _| state.steps.get(step).cloned()))
    }

    async fn keep_step(&self, step: &StepKey, result: &[u8]) -> Result<Vec<u8>, Error> {
        Ok(self.visit(|state, _| state.keep_step(step, result)))
    }

    async fn forget_steps(&self, after: Option<&JobId>) -> Result<Option<JobId>, Error> {
        Ok(self.visit(|state, _| state.forget_steps(after)))
    }

    async fn keep_progress(&self, said: &[(JobId, Progress)]) -> Result<(), Error> {
        self.visit(|state, _| {
            for (job_id, progress) in said {
                if state.jobs.get(job_id).is_some_and(|job| !job.state.is_terminal()) {
                    state.progress.insert(job_id.clone(), progress.clone());
                }
            }
        });
        Ok(())
    }

    async fn checkpoint(&self, source: &str) -> Result<Option<Value>, Error> {
        Ok(self.visit(|state, _| state.checkpoints.get(source).cloned()))
    }
}

impl State {
    /// The newest jobs that the filter lets through. Nothing is older than an unknown job.
    fn page(&self, filter: &JobFilter, now: Timestamp) -> Vec<JobRecord> {
        let end = match &filter.before {
            None => self.created.len(),
            Some(cursor) => self.jobs.get(cursor).map_or(0, |job| job.serial),
        };
        let jobs = self.created[..end].iter().rev();
        jobs.filter_map(|job_id| Some((job_id, self.jobs.get(job_id)?)))
            .filter(|(_, job)| {
                filter.pipeline.as_ref().is_none_or(|name| job.pipeline == *name)
                    && filter.stage.as_ref().is_none_or(|stage| job.stage == *stage)
                    && filter.state.is_none_or(|state| self.shown_state(job, now) == state)
            })
            .take(filter.limit.min(PAGE_MAX))
            .map(|(job_id, job)| self.record(job_id, job, now))
            .collect()
    }
}
