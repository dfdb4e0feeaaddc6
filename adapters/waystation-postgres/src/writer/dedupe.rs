//! Jobs that are to be one with others: a batch's keys are taken and looked up in two statements,
//! and who is let in is decided here, job by job.

use std::collections::{HashMap, HashSet};

use tokio_postgres::Row;
use waystation_core::id::{JobId, PipelineName};
use waystation_core::port::Abort;
use waystation_core::settlement::{Admission, Dedupe, NewJob, OnDuplicate, Submitted};

use super::batch::{Result, Writer};

// Ordered, so that two processes that take the same keys wait for each other, not both. A job that
// exists takes no key.
const TAKE: &str = "INSERT INTO dedupe (pipeline, key, job_id) \
     SELECT DISTINCT ON (pipeline, key) pipeline, key, id \
     FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY \
     AS asked (pipeline, key, id, place) \
     WHERE NOT EXISTS (SELECT 1 FROM job WHERE job.job_id = asked.id) \
     ORDER BY pipeline, key, place ON CONFLICT (pipeline, key) DO NOTHING";
const LOOK_UP: &str = "SELECT place, dedupe.job_id, \
     EXISTS (SELECT 1 FROM job WHERE job.job_id = asked.id) \
     FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY \
     AS asked (pipeline, key, id, place) JOIN dedupe USING (pipeline, key)";
// Who is about to be replaced is replaced by one at a time.
const LOOK_UP_AND_LOCK: &str = "SELECT place, dedupe.job_id, \
     EXISTS (SELECT 1 FROM job WHERE job.job_id = asked.id) \
     FROM unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY \
     AS asked (pipeline, key, id, place) JOIN dedupe USING (pipeline, key) \
     ORDER BY pipeline, key FOR UPDATE OF dedupe";
const PASS_ON: &str = "UPDATE dedupe SET job_id = new.id \
     FROM unnest($1::text[], $2::text[], $3::text[]) AS new (pipeline, key, id) \
     WHERE dedupe.pipeline = new.pipeline AND dedupe.key = new.key";

/// A key within its pipeline.
type Key<'a> = (&'a PipelineName, &'a str);

/// What the database says of a job and its key.
struct Found {
    holder: JobId,
    /// Whether the job exists.
    exists: bool,
}

/// What the jobs of a batch change for those behind them.
#[derive(Default)]
struct Desk<'a> {
    /// The keys that were given to jobs in others' places.
    passed_on: HashMap<Key<'a>, &'a JobId>,
    let_in: HashSet<&'a JobId>,
}

impl Writer {
    /// How each job is let in, as far as its key decides. Keys are those of their new jobs from
    /// now on; whom these replace is still to be aborted.
    pub(super) async fn admit(&mut self, jobs: &[NewJob]) -> Result<Vec<Admission>> {
        let keyed: Vec<(&NewJob, &Dedupe)> =
            jobs.iter().filter_map(|job| Some((job, job.dedupe.as_ref()?))).collect();
        if keyed.is_empty() {
            return Ok(vec![Admission::Free; jobs.len()]);
        }
        let found = self.take_keys(&keyed).await?;
        let mut desk = Desk::default();
        let decided = keyed.iter().zip(found);
        let decided: Vec<Admission> =
            decided.map(|((job, dedupe), found)| desk.admit(job, dedupe, found)).collect();
        self.pass_on(&desk.passed_on).await?;
        let mut decided = decided.into_iter();
        let admission = |job: &NewJob| match &job.dedupe {
            Some(_) => decided.next().unwrap_or(Admission::Free),
            None => Admission::Free,
        };
        Ok(jobs.iter().map(admission).collect())
    }

    /// Takes the keys that nobody has, and tells whose each is then.
    async fn take_keys(&mut self, keyed: &[(&NewJob, &Dedupe)]) -> Result<Vec<Option<Found>>> {
        let pipelines: Vec<&str> = keyed.iter().map(|(job, _)| job.pipeline.as_str()).collect();
        let keys: Vec<&str> = keyed.iter().map(|(_, dedupe)| dedupe.key.as_str()).collect();
        let ids: Vec<&str> = keyed.iter().map(|(job, _)| job.job_id.as_str()).collect();
        let replaces = keyed.iter().any(|(_, one)| one.on_duplicate == OnDuplicate::Replace);
        self.link.send(TAKE, &[&pipelines, &keys, &ids]).await?;
        let look_up = if replaces { LOOK_UP_AND_LOCK } else { LOOK_UP };
        let rows = self.link.rows(look_up, &[&pipelines, &keys, &ids]).await?;
        let read = |row: &Row| {
            let holder = JobId::from(row.get::<_, &str>(1));
            (row.get::<_, i64>(0), Found { holder, exists: row.get(2) })
        };
        let mut found: HashMap<i64, Found> = rows.iter().map(read).collect();
        Ok((1..=keyed.len() as i64).map(|place| found.remove(&place)).collect())
    }

    /// Gives keys to the jobs that take others' places.
    async fn pass_on(&mut self, passed_on: &HashMap<Key<'_>, &JobId>) -> Result<()> {
        if passed_on.is_empty() {
            return Ok(());
        }
        let pipelines: Vec<&str> = passed_on.keys().map(|(name, _)| name.as_str()).collect();
        let keys: Vec<&str> = passed_on.keys().map(|(_, key)| *key).collect();
        let ids: Vec<&str> = passed_on.values().map(|job_id| job_id.as_str()).collect();
        self.link.send(PASS_ON, &[&pipelines, &keys, &ids]).await
    }

    /// Aborts the job that another takes the place of. Gives it, unless it has ended.
    pub(super) async fn replace(&mut self, holder: JobId, by: &JobId) -> Result<Option<JobId>> {
        let answer = self.abort(&holder, &Dedupe::replaced_by(by)).await?;
        Ok(matches!(answer, Abort::Done | Abort::Requested).then_some(holder))
    }
}

impl<'a> Desk<'a> {
    /// Lets a job in, after those before it. Where nobody has the key, not even the job itself, it
    /// was not taken because the job exists.
    fn admit(&mut self, job: &'a NewJob, dedupe: &'a Dedupe, found: Option<Found>) -> Admission {
        let holder = match found {
            Some(Found { holder, exists: false }) if !self.let_in.contains(&job.job_id) => holder,
            _ => return Admission::Refused(Submitted::Duplicate(job.job_id.clone())),
        };
        let key = (&job.pipeline, dedupe.key.as_str());
        let holder = self.passed_on.get(&key).map_or(&holder, |job_id| *job_id);
        // The key was free, and is the job's own by now.
        let own = *holder == job.job_id;
        let admission = if own { Admission::Free } else { dedupe.admit(Some(holder)) };
        if matches!(admission, Admission::InPlaceOf(_)) {
            self.passed_on.insert(key, &job.job_id);
        }
        if !matches!(admission, Admission::Refused(_)) {
            self.let_in.insert(&job.job_id);
        }
        admission
    }
}
