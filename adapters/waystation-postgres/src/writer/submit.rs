//! Creating jobs, a batch in a handful of statements.

use std::collections::HashMap;

use waystation_core::id::{JobId, PipelineName};
use waystation_core::job::Checkpoint;
use waystation_core::settlement::{NewJob, Start, Submitted};
use waystation_core::state::{JobState, Step, transition};

use super::batch::{Result, Writer};
use crate::rows::state_number;

impl Writer {
    /// Creates jobs with their first messages, and moves the source's checkpoint.
    pub(super) async fn submit(
        &mut self,
        jobs: &[NewJob],
        checkpoint: Option<&Checkpoint>,
    ) -> Result<Vec<Submitted>> {
        if let Some(checkpoint) = checkpoint {
            let sql = "INSERT INTO checkpoint (source, value, updated_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (source) DO UPDATE \
                 SET value = excluded.value, updated_at = excluded.updated_at";
            let value = checkpoint.value.to_string();
            self.link.send(sql, &[&checkpoint.source, &value, &self.now.0]).await?;
        }
        let doubles = self.claim_keys(jobs).await?;
        let fresh: Vec<usize> = (0..jobs.len()).filter(|place| doubles[*place].is_none()).collect();
        let numbers = self.insert_jobs(jobs, &fresh).await?;
        let mut messages = Vec::new();
        let mut tasks = Vec::new();
        let mut events = Vec::new();
        for (place, number) in &numbers {
            let job = &jobs[*place];
            match &job.start {
                Start::Queue(message) => messages.push((*number, message)),
                Start::Inbox(task) => tasks.push((*number, task)),
            }
            events.extend(job.events.iter().map(|event| (*number, event)));
        }
        self.insert_messages(&messages).await?;
        self.insert_tasks(&tasks).await?;
        self.insert_events(&events).await?;
        let created: HashMap<usize, i64> = numbers.into_iter().collect();
        let answers =
            jobs.iter().zip(doubles).enumerate().map(|(place, (job, double))| match double {
                Some(known) => Submitted::Duplicate(known),
                None if created.contains_key(&place) => Submitted::Created(job.job_id.clone()),
                None => Submitted::Duplicate(job.job_id.clone()),
            });
        Ok(answers.collect())
    }

    /// Takes the dedupe keys; tells for each job whose its key is already, if somebody's.
    async fn claim_keys(&mut self, jobs: &[NewJob]) -> Result<Vec<Option<JobId>>> {
        let mut doubles = vec![None; jobs.len()];
        let mut first: HashMap<(&PipelineName, &str), usize> = HashMap::new();
        for (place, job) in jobs.iter().enumerate() {
            let Some(key) = &job.dedupe_key else { continue };
            match first.get(&(&job.pipeline, key.as_str())) {
                Some(earlier) => doubles[place] = Some(jobs[*earlier].job_id.clone()),
                None => {
                    first.insert((&job.pipeline, key), place);
                }
            }
        }
        if first.is_empty() {
            return Ok(doubles);
        }
        let places: Vec<usize> = first.into_values().collect();
        let of = |place: &usize| &jobs[*place];
        let pipelines: Vec<&str> = places.iter().map(|p| of(p).pipeline.as_str()).collect();
        let keys: Vec<Option<&str>> = places.iter().map(|p| of(p).dedupe_key.as_deref()).collect();
        let ids: Vec<&str> = places.iter().map(|p| of(p).job_id.as_str()).collect();
        // Ordered, so that two processes that take the same keys wait for each other, not both.
        let insert = "INSERT INTO dedupe (pipeline, key, job_id) \
             SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ORDER BY 1, 2 \
             ON CONFLICT (pipeline, key) DO NOTHING";
        self.link.send(insert, &[&pipelines, &keys, &ids]).await?;
        let select = "SELECT place, dedupe.job_id FROM unnest($1::text[], $2::text[]) \
             WITH ORDINALITY AS asked (pipeline, key, place) JOIN dedupe USING (pipeline, key)";
        for row in self.link.rows(select, &[&pipelines, &keys]).await? {
            let place = places[row.get::<_, i64>(0) as usize - 1];
            let owner = JobId::from(row.get::<_, String>(1));
            if owner != jobs[place].job_id {
                doubles[place] = Some(owner);
            }
        }
        // Later ones of this batch follow the first one's owner.
        let owners: HashMap<JobId, JobId> = places
            .iter()
            .filter_map(|p| Some((of(p).job_id.clone(), doubles[*p].clone()?)))
            .collect();
        for double in doubles.iter_mut().flatten() {
            if let Some(owner) = owners.get(double) {
                *double = owner.clone();
            }
        }
        Ok(doubles)
    }

    /// Inserts the jobs at these places; gives the numbers of those that were not there yet.
    async fn insert_jobs(&mut self, jobs: &[NewJob], fresh: &[usize]) -> Result<Vec<(usize, i64)>> {
        if fresh.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.now;
        let begin = |job: &NewJob| {
            let (step, stage) = match &job.start {
                Start::Inbox(task) => (Step::Park, task.stage.clone()),
                Start::Queue(message) => {
                    let later = message.not_before.is_some_and(|moment| moment > now);
                    (if later { Step::Delay } else { Step::Enqueue }, message.stage.clone())
                }
            };
            // The steps out of `ready` are all allowed.
            (transition(JobState::Ready, step).unwrap_or(JobState::Ready), stage)
        };
        let begins: Vec<_> = fresh.iter().map(|place| begin(&jobs[*place])).collect();
        let ids: Vec<&str> = fresh.iter().map(|place| jobs[*place].job_id.as_str()).collect();
        let pipelines: Vec<&str> =
            fresh.iter().map(|place| jobs[*place].pipeline.as_str()).collect();
        let versions: Vec<i32> =
            fresh.iter().map(|place| jobs[*place].pipeline_version as i32).collect();
        let states: Vec<i16> = begins.iter().map(|(state, _)| state_number(*state)).collect();
        let stages: Vec<&str> = begins.iter().map(|(_, stage)| stage.as_str()).collect();
        let sql = "INSERT INTO job (job_id, pipeline, pipeline_version, state, stage, created_at, \
             updated_at) SELECT id, pipeline, version, state, stage, $6, $6 \
             FROM unnest($1::text[], $2::text[], $3::integer[], $4::smallint[], $5::text[]) \
             WITH ORDINALITY AS new (id, pipeline, version, state, stage, place) ORDER BY place \
             ON CONFLICT (job_id) DO NOTHING RETURNING job_id, job_number";
        let rows =
            self.link.rows(sql, &[&ids, &pipelines, &versions, &states, &stages, &now.0]).await?;
        let mut numbers: HashMap<String, i64> =
            rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        // The first of a batch that has the id is the one that was inserted.
        let created = fresh.iter().filter_map(|place| {
            numbers.remove(jobs[*place].job_id.as_str()).map(|number| (*place, number))
        });
        Ok(created.collect())
    }
}
