//! Creating jobs, a batch in a handful of statements.

use std::collections::HashMap;

use waystation_core::id::JobId;
use waystation_core::job::Checkpoint;
use waystation_core::port::{Error, Held, LOCKS};
use waystation_core::settlement::{Admission, NewJob, Start, Submitted};
use waystation_core::state::{JobState, Step, transition};
use waystation_core::statistics::count_events;

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
    ) -> Result<std::result::Result<Vec<Submitted>, Error>> {
        if let Some(held) = checkpoint.and_then(|checkpoint| checkpoint.held.as_ref())
            && !self.has(held).await?
        {
            return Ok(Err(Error::Fenced { lock: held.lock.clone() }));
        }
        if let Some(checkpoint) = checkpoint {
            let sql = "INSERT INTO checkpoint (source, value, updated_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (source) DO UPDATE \
                 SET value = excluded.value, updated_at = excluded.updated_at";
            let value = checkpoint.value.to_string();
            self.link.send(sql, &[&checkpoint.source, &value, &self.now.0]).await?;
        }
        let admissions = self.admit(jobs).await?;
        let let_in =
            |(_, admission): &(&NewJob, &Admission)| !matches!(admission, Admission::Refused(_));
        let fresh: Vec<&NewJob> =
            jobs.iter().zip(&admissions).filter(let_in).map(|(job, _)| job).collect();
        let created = self.create(&fresh).await?;
        let mut arrivals = Arrivals::default();
        for (job, created) in fresh.iter().zip(&created) {
            if let Created::New(number) = created {
                arrivals.begin(*number, job, self.now);
            }
        }
        self.insert_arrivals(&arrivals).await?;
        self.insert_events(&arrivals.events).await?;
        self.answer(jobs, admissions, created).await.map(Ok)
    }

    /// Whether a lock is held. It cannot be lost before the commit: whoever takes it waits.
    async fn has(&mut self, held: &Held) -> Result<bool> {
        let sql = "SELECT revision FROM record WHERE collection = $1 AND key = $2 \
             AND revision = $3 AND (expires_at IS NULL OR expires_at > $4) FOR SHARE";
        let token = held.token as i64;
        let rows = self.link.rows(sql, &[&LOCKS, &held.lock, &token, &self.now.0]).await?;
        Ok(!rows.is_empty())
    }

    /// What came of each job. Those that others take the place of are aborted now: they may have
    /// come in the same batch.
    async fn answer(
        &mut self,
        jobs: &[NewJob],
        admissions: Vec<Admission>,
        created: Vec<Created>,
    ) -> Result<Vec<Submitted>> {
        let mut created = created.into_iter();
        let mut answers = Vec::with_capacity(jobs.len());
        for (job, admission) in jobs.iter().zip(admissions) {
            let holder = match admission {
                Admission::Refused(answer) => {
                    answers.push(answer);
                    continue;
                }
                Admission::Free => None,
                Admission::InPlaceOf(holder) => Some(holder),
            };
            answers.push(match (created.next(), holder) {
                (Some(Created::Known(known)), _) => Submitted::Duplicate(known),
                (_, None) => Submitted::Created(job.job_id.clone()),
                (_, Some(holder)) => {
                    let replaced = self.replace(holder, &job.job_id).await?;
                    Submitted::made(job.job_id.clone(), replaced)
                }
            });
        }
        Ok(answers)
    }

    /// Creates those jobs that are not there yet, without what they start with, and counts them.
    /// Their keys have been looked at.
    pub(super) async fn create(&mut self, jobs: &[&NewJob]) -> Result<Vec<Created>> {
        let numbers: HashMap<usize, i64> = self.insert_jobs(jobs).await?.into_iter().collect();
        let mut created = Vec::with_capacity(jobs.len());
        for (place, job) in jobs.iter().enumerate() {
            created.push(match numbers.get(&place) {
                Some(number) => {
                    count_events(&mut self.sums, &job.pipeline, &job.events, None);
                    Created::New(*number)
                }
                None => Created::Known(job.job_id.clone()),
            });
        }
        Ok(created)
    }

    /// Inserts jobs; gives the places and numbers of those that were not there yet.
    async fn insert_jobs(&mut self, jobs: &[&NewJob]) -> Result<Vec<(usize, i64)>> {
        if jobs.is_empty() {
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
        let begins: Vec<_> = jobs.iter().map(|job| begin(job)).collect();
        let ids: Vec<&str> = jobs.iter().map(|job| job.job_id.as_str()).collect();
        let pipelines: Vec<&str> = jobs.iter().map(|job| job.pipeline.as_str()).collect();
        let versions: Vec<i32> = jobs.iter().map(|job| job.pipeline_version as i32).collect();
        let states: Vec<i16> = begins.iter().map(|(state, _)| state_number(*state)).collect();
        let stages: Vec<&str> = begins.iter().map(|(_, stage)| stage.as_str()).collect();
        let families = || jobs.iter().map(|job| job.parent.as_ref());
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
        let created = jobs.iter().enumerate().filter_map(|(place, job)| {
            numbers.remove(job.job_id.as_str()).map(|number| (place, number))
        });
        Ok(created.collect())
    }
}
