//! The store port: reads under the mutex, and the two writes that are no settlement.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use async_trait::async_trait;
use serde_json::Value;
use waystation_core::clock::Timestamp;
use waystation_core::event::{Event, LogLine};
use waystation_core::id::{JobId, PipelineName, QueueName};
use waystation_core::job::{
    Awaited, Behind, ChildRecord, Count, DeadLetterFilter, DeadLetterRecord, Feed, JobFilter,
    JobPage, JobRecord, PAGE_MAX, PipelineRecord, TaskFilter, TaskRecord,
};
use waystation_core::needle::Needle;
use waystation_core::port::{
    Abort, Bus, Depth, Error, Signal, Store, TaskChange, TaskChanged, check_task_change,
};
use waystation_core::progress::Progress;
use waystation_core::statistics::{Period, Statistic};
use waystation_core::step::StepKey;

use crate::Memory;
use crate::state::{Job, State};

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

    async fn jobs(&self, filter: JobFilter) -> Result<JobPage, Error> {
        Ok(self.visit(|state, now| state.page(&filter, now)))
    }

    async fn children(
        &self,
        parent: &JobId,
        visit: u32,
        from: u32,
        limit: usize,
    ) -> Result<Vec<ChildRecord>, Error> {
        Ok(self.visit(|state, now| state.children(parent, visit, from, limit, now)))
    }

    async fn awaited(&self, job_id: &JobId) -> Result<Option<Awaited>, Error> {
        Ok(self.visit(|state, _| state.awaited(job_id)))
    }

    async fn behind(&self, job_id: &JobId) -> Result<Option<Behind>, Error> {
        Ok(self.visit(|state, _| state.behind(job_id)))
    }

    async fn counts(&self, pipeline: Option<&PipelineName>) -> Result<Vec<Count>, Error> {
        let mut counts = BTreeMap::new();
        self.visit(|state, now| {
            for job in state.jobs.values() {
                if pipeline.is_none_or(|name| job.pipeline == *name) {
                    let shown = state.shown_state(job, now);
                    let key = (job.pipeline.clone(), job.stage.clone(), shown);
                    *counts.entry(key).or_insert(0) += 1;
                }
            }
        });
        let count = |((pipeline, stage, state), jobs)| Count { pipeline, stage, state, jobs };
        Ok(counts.into_iter().map(count).collect())
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

    async fn feed(&self, after: Option<u64>, limit: usize) -> Result<Feed, Error> {
        Ok(self.visit(|state, _| state.feed(after, limit)))
    }

    async fn statistics(&self, period: Period) -> Result<Vec<Statistic>, Error> {
        Ok(self.visit(|state, _| state.counting.of(&period)))
    }

    async fn forget_statistics(&self, before: Timestamp) -> Result<(), Error> {
        self.visit(|state, _| state.counting.forget(before));
        Ok(())
    }

    async fn depths(&self) -> Result<Vec<(QueueName, Depth)>, Error> {
        let depths = self.visit(|state, now| {
            let mut depths = state.away_depths(now);
            let queues: Vec<QueueName> = state.lines.keys().cloned().collect();
            for queue in queues {
                let (here, depth) = (state.depth(&queue, now), depths.entry(queue).or_default());
                depth.ready += here.ready;
                depth.priority += here.priority;
                depth.delayed += here.delayed;
                depth.behind += here.behind;
                depth.leased += here.leased;
                depth.oldest = depth.oldest.into_iter().chain(here.oldest).min();
            }
            depths
        });
        let held = |depth: &Depth| depth.ready + depth.delayed + depth.behind + depth.leased > 0;
        Ok(depths.into_iter().filter(|(_, depth)| held(depth)).collect())
    }

    async fn tasks(&self, filter: TaskFilter) -> Result<Vec<TaskRecord>, Error> {
        Ok(self.visit(|state, now| {
            let behind = filter.after.map_or(Bound::Unbounded, Bound::Excluded);
            let tasks = state.tasks.range((behind, Bound::Unbounded)).map(|(_, task)| task);
            let fitting = tasks.filter(|task| filter.has(task, now));
            fitting.take(filter.limit.min(PAGE_MAX)).cloned().collect()
        }))
    }

    async fn change_task(&self, task_id: i64, change: TaskChange) -> Result<TaskChanged, Error> {
        check_task_change(task_id, &change)?;
        let changed = self.visit(|state, now| {
            let Some(task) = state.tasks.get_mut(&task_id) else { return TaskChanged::Unknown };
            if change.apply(task, now) {
                TaskChanged::Done(task.clone())
            } else {
                TaskChanged::Held(task.clone())
            }
        });
        if matches!(changed, TaskChanged::Done(_)) {
            self.publish(Signal::Changed);
        }
        Ok(changed)
    }

    async fn dead_letters(&self, filter: DeadLetterFilter) -> Result<Vec<DeadLetterRecord>, Error> {
        Ok(self.visit(|state, _| {
            let before = filter.before.map_or(Bound::Unbounded, Bound::Excluded);
            let letters = state.dead_letters.range((Bound::Unbounded, before)).rev();
            let fitting = letters.map(|(_, letter)| letter).filter(|letter| {
                filter.pipeline.as_ref().is_none_or(|name| letter.pipeline == *name)
                    && filter.stage.as_ref().is_none_or(|stage| letter.stage == *stage)
                    && filter.job_id.as_ref().is_none_or(|job_id| letter.job_id == *job_id)
            });
            fitting.take(filter.limit.min(PAGE_MAX)).cloned().collect()
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
    fn page(&self, filter: &JobFilter, now: Timestamp) -> JobPage {
        let end = match &filter.before {
            None => self.created.len(),
            Some(cursor) => self.jobs.get(cursor).map_or(0, |job| job.serial),
        };
        let limit = filter.limit.min(PAGE_MAX);
        let needle = filter.text.as_deref().map(Needle::new);
        let mut page = JobPage::default();
        for job_id in self.created[..end].iter().rev() {
            let Some(job) = self.jobs.get(job_id) else { continue };
            let has_text = |needle: &Needle| {
                needle.is_in(job_id.as_str().as_bytes()) || needle.is_in(self.body(job))
            };
            if !self.fits(filter, job, now) || !needle.as_ref().is_none_or(has_text) {
                continue;
            }
            if page.jobs.len() == limit {
                page.next = page.jobs.last().map(|job| job.job_id.clone());
                break;
            }
            page.jobs.push(self.record(job_id, job, now));
        }
        page
    }

    /// Whether the filter lets a job through, the text aside.
    fn fits(&self, filter: &JobFilter, job: &Job, now: Timestamp) -> bool {
        let shown = self.shown_state(job, now);
        filter.pipeline.as_ref().is_none_or(|name| job.pipeline == *name)
            && filter.stage.as_ref().is_none_or(|stage| job.stage == *stage)
            && (filter.states.is_empty() || filter.states.contains(&shown))
            && filter.created_from.is_none_or(|from| job.created_at >= from)
            && filter.created_before.is_none_or(|before| job.created_at < before)
            && filter.family.has(job.parent.as_ref())
    }
}
