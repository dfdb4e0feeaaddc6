//! Creating jobs, a batch in a handful of statements.

use std::collections::HashMap;

use waystation_core::id::{JobId, PipelineName};
use waystation_core::job::Checkpoint;
use waystation_core::settlement::{NewJob, Start, Submitted};
use waystation_core::state::{JobState, Step, transition};

use super::arrivals::Arrivals;
use super::batch::{Result, Writer};
use crate::parameter::Parameter;
use crate::rows::state_number;

/// What came of a job that was to be.
pub enum Created {
    /// It exists, and has this number.
    New(i64),
    /// It is this job already.
    Known(JobId),
}

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
        let all: Vec<&NewJob> = jobs.iter().collect();
        let created = self.create(&all).await?;
        let mut arrivals = Arrivals::default();
        for (job, created) in jobs.iter().zip(&created) {
            if let Created::New(number) = created {
                arrivals.begin(*number, job);
            }
        }
        self.insert_arrivals(&arrivals).await?;
        self.insert_events(&arrivals.events).await?;
        let answers = jobs.iter().zip(created).map(|(job, created)| match created {
            Created::New(_) => Submitted::Created(job.job_id.clone()),
            Created::Known(known) => Submitted::Duplicate(known),
        });
        Ok(answers.collect())
    }

    /// Creates those jobs that are not there yet, without what they start with.
    pub(super) async fn create(&mut self, jobs: &[&NewJob]) -> Result<Vec<Created>> {
        let doubles = self.claim_keys(jobs).await?;
        let fresh: Vec<usize> = (0..jobs.len()).filter(|place| doubles[*place].is_none()).collect();
        let numbers: HashMap<usize, i64> =
            self.insert_jobs(jobs, &fresh).await?.into_iter().collect();
        let created = doubles.into_iter().enumerate().map(|(place, double)| {
            match (double, numbers.get(&place)) {
                (Some(known), _) => Created::Known(known),
                (None, Some(number)) => Created::New(*number),
                (None, None) => Created::Known(jobs[place].job_id.clone()),
            }
        });
        Ok(created.collect())
    }

    /// Takes the dedupe keys; tells for each job whose its key is already, if somebody's.
    async fn claim_keys(&mut self, jobs: &[&NewJob]) -> Result<Vec<Option<JobId>>> {
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
        let of = |place: &usize| jobs[*place];
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
    async fn insert_jobs(
        &mut self,
        jobs: &[&NewJob],
        fresh: &[usize],
    ) -> Result<Vec<(usize, i64)>> {
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
        let begins: Vec<_> = fresh.iter().map(|place| begin(jobs[*place])).collect();
        let ids: Vec<&str> = fresh.iter().map(|place| jobs[*place].job_id.as_str()).collect();
        let pipelines: Vec<&str> =
            fresh.iter().map(|place| jobs[*place].pipeline.as_str()).collect();
        let versions: Vec<i32> =
            fresh.iter().map(|place| jobs[*place].pipeline_version as i32).collect();
        let states: Vec<i16> = begins.iter().map(|(state, _)| state_number(*state)).collect();
        let stages: Vec<&str> = begins.iter().map(|(_, stage)| stage.as_str()).collect();
        let families = || fresh.iter().map(|place| jobs[*place].parent.as_ref());
        let parents: Vec<_> = families().map(|one| one.map(|one| one.job_id.as_str())).collect();
        let visits: Vec<_> = families().map(|one| one.map(|one| one.visit as i32)).collect();
        let positions: Vec<_> =
            families().map(|one| one.map(|one| i64::from(one.position))).collect();
        let sql = "INSERT INTO job (job_id, pipeline, pipeline_version, state, stage, parent, \
             parent_visit, position, created_at, updated_at) \
             SELECT id, pipeline, version, state, stage, parent, visit, position, $9, $9 \
             FROM unnest($1::text[], $2::text[], $3::integer[], $4::smallint[], $5::text[], \
             $6::text[], $7::integer[], $8::bigint[]) WITH ORDINALITY \
             AS new (id, pipeline, version, state, stage, parent, visit, position, place) \
             ORDER BY place ON CONFLICT (job_id) DO NOTHING RETURNING job_id, job_number";
        let parameters: [&(dyn Parameter + Sync); 9] =
            [&ids, &pipelines, &versions, &states, &stages, &parents, &visits, &positions, &now.0];
        let rows = self.link.rows(sql, &parameters).await?;
        let mut numbers: HashMap<String, i64> =
            rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        // The first of a batch that has the id is the one that was inserted.
        let created = fresh.iter().filter_map(|place| {
            numbers.remove(jobs[*place].job_id.as_str()).map(|number| (*place, number))
        });
        Ok(created.collect())
    }
}
