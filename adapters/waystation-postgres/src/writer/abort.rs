//! Aborting jobs: at once where nobody works on them, by a mark where somebody does or a broker
//! has them. And keeping pipelines' texts by version.

use serde_json::json;
use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::EventKind;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::port::Abort;
use waystation_core::state::{JobState, Step, transition};

use super::batch::{Result, Writer};
use super::sets::End;
use super::tallies::Run;
use crate::rows::kind_number;

/// A job that is to end.
struct Doomed {
    job: i64,
    pipeline: PipelineName,
    stage: StageId,
    created_at: Timestamp,
    /// What made it, if it is a child.
    made_by: Option<Run>,
}

impl Doomed {
    fn read(row: &Row) -> Self {
        Self {
            job: row.get(0),
            pipeline: PipelineName::from(row.get::<_, &str>(1)),
            stage: StageId::from(row.get::<_, &str>(2)),
            created_at: Timestamp(row.get(3)),
            made_by: Run::read(row, 4),
        }
    }
}

impl Writer {
    /// Aborts a job. The job's row is locked first: whoever settles it at the same time has
    /// either ended before, or comes after. So it is with what it waits for, where somebody may
    /// be about to let the job go on.
    pub(super) async fn abort(&mut self, job_id: &JobId, reason: &str) -> Result<Abort> {
        let sql = "SELECT 1 FROM awaited WHERE job_id = $1 FOR UPDATE";
        self.link.send(sql, &[&job_id.as_str()]).await?;
        let sql = "SELECT job_number, pipeline, stage, created_at, parent, parent_visit, state \
             FROM job WHERE job_id = $1 FOR UPDATE";
        let rows = self.link.rows(sql, &[&job_id.as_str()]).await?;
        let Some(row) = rows.first() else { return Ok(Abort::Unknown) };
        let doomed = Doomed::read(row);
        let job = doomed.job;
        let state = JobState::ALL.get(row.get::<_, i16>(6) as usize).copied();
        let state = state.unwrap_or(JobState::Failed);
        if transition(state, Step::Abort).is_err() {
            return Ok(Abort::TooLate);
        }
        let mut rows = Vec::new();
        if state == JobState::Waiting {
            rows =
                self.link.rows("DELETE FROM task WHERE job = $1 RETURNING body", &[&job]).await?;
            self.forget_waiting(&[job_id.as_str()]).await?;
        }
        if rows.is_empty() {
            let mark = "UPDATE message SET abort = coalesce(abort, $1) \
                 WHERE job = $2 AND (state IN (1, 6) AND due > $3 OR state = 3)";
            if self.link.run(mark, &[&reason, &job, &self.now.0]).await? > 0 {
                self.aborts.push((job_id.clone(), reason.to_owned()));
                return Ok(Abort::Requested);
            }
            // Somebody may have received it since, and may still work on it.
            let sql = "DELETE FROM message WHERE job = $1 \
                 AND NOT (state IN (1, 6) AND due > $2 OR state = 3) RETURNING body, queue, key";
            rows = self.link.rows(sql, &[&job, &self.now.0]).await?;
            self.touched.note_rows(&rows, 1);
            if rows.is_empty() && self.link.run(mark, &[&reason, &job, &self.now.0]).await? > 0 {
                self.aborts.push((job_id.clone(), reason.to_owned()));
                return Ok(Abort::Requested);
            }
        }
        let body: Vec<u8> = rows.first().map(|row| row.get(0)).unwrap_or_default();
        self.end_aborted(&doomed, reason, &body).await?;
        Ok(Abort::Done)
    }

    /// Ends a marked job whose worker is gone.
    pub(super) async fn abort_reclaimed(
        &mut self,
        message: i64,
        job: i64,
        reason: &str,
    ) -> Result<()> {
        let sql = "DELETE FROM message WHERE message_id = $1 RETURNING body, queue, key";
        let rows = self.link.rows(sql, &[&message]).await?;
        self.touched.note_rows(&rows, 1);
        let body: Vec<u8> = rows.first().map(|row| row.get(0)).unwrap_or_default();
        let sql = "SELECT job_number, pipeline, stage, created_at, parent, parent_visit \
             FROM job WHERE job_number = $1";
        let rows = self.link.rows(sql, &[&job]).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        self.end_aborted(&Doomed::read(row), reason, &body).await
    }

    async fn end_aborted(&mut self, doomed: &Doomed, reason: &str, body: &[u8]) -> Result<()> {
        let failure = Failure::new(ErrorKind::Aborted, reason);
        let state = JobState::Aborted;
        if let Some(run) = &doomed.made_by {
            self.tallies.note_end(run, state);
        }
        self.count_ended(&doomed.pipeline, &doomed.stage, state, Some(doomed.created_at));
        let (job, stage) = (doomed.job, doomed.stage.as_str());
        self.end_jobs(&[End { job, state, stage, failure: Some(&failure), body }]).await?;
        let (visit, attempt) = Contract::parse(body)
            .map_or((1, 1), |contract| (contract.visit, contract.retry_count + 1));
        let detail = json!({ "reason": reason }).to_string();
        let sql = "INSERT INTO event (job, kind, stage, visit, attempt, at, detail) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)";
        let kind = kind_number(EventKind::Aborted);
        let (visit, attempt) = (visit as i32, attempt as i32);
        self.link.send(sql, &[&job, &kind, &stage, &visit, &attempt, &self.now.0, &detail]).await
    }

    /// The version of this text: the newest one's when it is the same, the next otherwise. Two
    /// processes that put the same text at once meet at the primary key, and one tries again.
    pub(super) async fn put_pipeline(&mut self, name: &PipelineName, source: &str) -> Result<u32> {
        let sql = "SELECT version, source FROM pipeline WHERE name = $1 \
             ORDER BY version DESC LIMIT 1";
        let rows = self.link.rows(sql, &[&name.as_str()]).await?;
        let version = match rows.first() {
            Some(row) if row.get::<_, &str>(1) == source => return Ok(row.get::<_, i32>(0) as u32),
            Some(row) => row.get::<_, i32>(0) + 1,
            None => 1,
        };
        let sql = "INSERT INTO pipeline (name, version, source) VALUES ($1, $2, $3)";
        self.link.run(sql, &[&name.as_str(), &version, &source]).await?;
        Ok(version as u32)
    }
}
