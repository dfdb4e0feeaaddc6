//! What waits for a person: tasks and dead letters.

use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::job::{DeadLetterRecord, TaskRecord};
use waystation_core::port::Error;

use super::Reader;

const TASK: &str = "SELECT task_id, job_id, task.pipeline, task.stage, task.created_at, task.body \
     FROM task JOIN job ON job.job_number = task.job";

impl Reader {
    /// A task.
    pub async fn task(&self, task_id: i64) -> Result<Option<TaskRecord>, Error> {
        let sql = format!("{TASK} WHERE task_id = $1");
        Ok(self.rows(&sql, &[&task_id]).await?.first().map(task))
    }

    /// The oldest tasks.
    pub async fn tasks(
        &self,
        pipeline: Option<&PipelineName>,
        limit: usize,
    ) -> Result<Vec<TaskRecord>, Error> {
        let sql = format!(
            "{TASK} WHERE $1::text IS NULL OR task.pipeline = $1 ORDER BY task_id LIMIT $2"
        );
        let pipeline = pipeline.map(PipelineName::as_str);
        Ok(self.rows(&sql, &[&pipeline, &(limit as i64)]).await?.iter().map(task).collect())
    }

    /// The newest dead letters.
    pub async fn dead_letters(
        &self,
        job_id: Option<&JobId>,
        limit: usize,
    ) -> Result<Vec<DeadLetterRecord>, Error> {
        let sql = "SELECT dead_letter_id, job_id, pipeline, dead_letter.stage, \
             dead_letter.failure, at, dead_letter.body \
             FROM dead_letter JOIN job ON job.job_number = dead_letter.job \
             WHERE $1::text IS NULL OR job_id = $1 ORDER BY dead_letter_id DESC LIMIT $2";
        let rows = self.rows(sql, &[&job_id.map(JobId::as_str), &(limit as i64)]).await?;
        let letter = |row: &Row| {
            let unknown = || Failure::new(ErrorKind::Error, "the reason was not kept");
            Ok(DeadLetterRecord {
                dead_letter_id: row.get(0),
                job_id: JobId::from(row.get::<_, String>(1)),
                pipeline: PipelineName::from(row.get::<_, String>(2)),
                stage: StageId::from(row.get::<_, String>(3)),
                failure: self.failure(row.get(4))?.unwrap_or_else(unknown),
                at: Timestamp(row.get(5)),
                body: row.get(6),
            })
        };
        rows.iter().map(letter).collect()
    }
}

fn task(row: &Row) -> TaskRecord {
    TaskRecord {
        assignee: None,
        claimed_until: None,
        due_at: None,
        task_id: row.get(0),
        job_id: JobId::from(row.get::<_, String>(1)),
        pipeline: PipelineName::from(row.get::<_, String>(2)),
        stage: StageId::from(row.get::<_, String>(3)),
        created_at: Timestamp(row.get(4)),
        body: row.get(5),
    }
}
