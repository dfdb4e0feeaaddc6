//! Jobs and how many there are of them.

use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::job::{Count, JobRecord};
use waystation_core::port::Error;
use waystation_core::state::JobState;

use super::Reader;
use crate::family::parent;

/// What is shown of jobs, given where they come from. State numbers: `waiting` is 4, the terminal
/// ones are 6 and above; `retrying` and `delayed` are 3 and 5. A leased message is in 1, one that
/// is away in 3. What waits has a task, or a message where it waits for children. Jobs that have
/// ended have neither, and none is looked for.
pub(super) fn select(jobs: &str) -> String {
    format!(
        "SELECT job_id, pipeline, pipeline_version, now_state, stage, \
         created_at, updated_at, failure, now_body, deliveries, held_until, job_number, leased_at, \
         parent, parent_visit, position, progress, leased_until FROM ( \
         SELECT job.*, {STATE_NOW} AS now_state, \
         coalesce(message.body, task.body, job.body) AS now_body, message.deliveries, \
         CASE WHEN message.state = 2 AND job.state IN (3, 5) THEN message.due \
         WHEN message.state = 3 AND message.leased_at IS NULL AND job.state IN (3, 5) \
         AND message.not_before > $1 THEN message.not_before END AS held_until, \
         CASE WHEN message.state IN (1, 6) AND message.due > $1 OR message.state = 3 \
         THEN message.leased_at END AS leased_at, \
         CASE WHEN message.state IN (1, 6) AND message.due > $1 AND message.leased_at IS NOT NULL \
         THEN message.due END AS leased_until \
         FROM {jobs} AS job \
         LEFT JOIN LATERAL (SELECT * FROM message \
         WHERE job.state < 6 AND message.job = job.job_number) AS message ON true \
         LEFT JOIN LATERAL (SELECT * FROM task \
         WHERE job.state = 4 AND task.job = job.job_number) AS task ON true) AS shown"
    )
}

/// Where a job stands at this moment, given its message.
const STATE_NOW: &str = "CASE WHEN (message.state IN (1, 6) AND message.due > $1 \
     OR message.state = 3) \
     AND message.leased_at IS NOT NULL THEN 2::smallint ELSE job.state END";

impl Reader {
    /// A job.
    pub async fn job(&self, job_id: &JobId, now: Timestamp) -> Result<Option<JobRecord>, Error> {
        let sql = format!("{} WHERE job_id = $2", select("job"));
        let rows = self.rows(&sql, &[&now.0, &job_id.as_str()]).await?;
        rows.first().map(|row| self.job_record(row)).transpose()
    }

    /// The number of a job.
    pub(super) async fn number(&self, job_id: &JobId) -> Result<Option<i64>, Error> {
        let sql = "SELECT job_number FROM job WHERE job_id = $1";
        Ok(self.rows(sql, &[&job_id.as_str()]).await?.first().map(|row| row.get(0)))
    }

    /// Jobs that a broker has and somebody wants aborted, with why.
    pub async fn abort_marks(
        &self,
        after: Option<&JobId>,
        limit: usize,
    ) -> Result<Vec<(JobId, String)>, Error> {
        let after = match after {
            None => i64::MIN,
            Some(job_id) => match self.number(job_id).await? {
                Some(number) => number,
                None => return Ok(Vec::new()),
            },
        };
        let sql = "SELECT job_id, abort FROM message JOIN job ON job.job_number = message.job \
             WHERE abort IS NOT NULL AND message.state = 3 AND job_number > $1 \
             ORDER BY job_number LIMIT $2";
        let rows = self.rows(sql, &[&after, &(limit as i64)]).await?;
        Ok(rows.iter().map(|row| (JobId::from(row.get::<_, String>(0)), row.get(1))).collect())
    }

    pub(super) fn job_record(&self, row: &Row) -> Result<JobRecord, Error> {
        let body: Option<&[u8]> = row.get(8);
        // A body that is no contract is shown as what it is: without params.
        let params = body.and_then(|body| Contract::parse(body).ok()).map(|one| one.params);
        let said: Option<&str> = row.get(16);
        // What cannot be read was only said in passing: the job is shown without it.
        let said = said.and_then(|text| serde_json::from_str(text).ok());
        let record = JobRecord {
            leased_until: row.get::<_, Option<i64>>(17).map(Timestamp),
            job_id: JobId::from(row.get::<_, String>(0)),
            pipeline: PipelineName::from(row.get::<_, String>(1)),
            pipeline_version: row.get::<_, i32>(2) as u32,
            state: self.nth(row.get(3), &JobState::ALL, "state")?,
            stage: StageId::from(row.get::<_, String>(4)),
            created_at: Timestamp(row.get(5)),
            updated_at: Timestamp(row.get(6)),
            not_before: row.get::<_, Option<i64>>(10).map(Timestamp),
            running_since: row.get::<_, Option<i64>>(12).map(Timestamp),
            deliveries: row.get::<_, Option<i32>>(9).unwrap_or(0) as u32,
            failure: self.failure(row.get(7))?,
            parent: parent(row, 13),
            progress: None,
            params: params.unwrap_or_default(),
            body: body.unwrap_or_default().to_vec(),
        };
        Ok(record.with_progress(said))
    }

    /// How many jobs stand where. What lives is counted in the queues and the inbox, what has
    /// ended in an index that holds nothing else.
    pub async fn counts(
        &self,
        pipeline: Option<&PipelineName>,
        now: Timestamp,
    ) -> Result<Vec<Count>, Error> {
        let sql = format!(
            "SELECT pipeline, stage, state, sum(jobs)::bigint FROM ( \
             SELECT job.pipeline, job.stage, {STATE_NOW} AS state, count(*) AS jobs \
             FROM message JOIN job ON job.job_number = message.job \
             WHERE $2::text IS NULL OR job.pipeline = $2 GROUP BY 1, 2, 3 \
             UNION ALL SELECT pipeline, stage, 4::smallint, count(*) FROM task \
             WHERE $2::text IS NULL OR pipeline = $2 GROUP BY 1, 2 \
             UNION ALL SELECT pipeline, stage, state, count(*) FROM job \
             WHERE state >= 6 AND ($2::text IS NULL OR pipeline = $2) GROUP BY 1, 2, 3 \
             ) AS counted GROUP BY 1, 2, 3 \
             ORDER BY pipeline COLLATE \"C\", stage COLLATE \"C\", state"
        );
        let pipeline = pipeline.map(PipelineName::as_str);
        let rows = self.rows(&sql, &[&now.0, &pipeline]).await?;
        let count = |row: &Row| {
            Ok(Count {
                pipeline: PipelineName::from(row.get::<_, &str>(0)),
                stage: StageId::from(row.get::<_, &str>(1)),
                state: self.nth(row.get(2), &JobState::ALL, "state")?,
                jobs: row.get::<_, i64>(3) as u64,
            })
        };
        rows.iter().map(count).collect()
    }
}
