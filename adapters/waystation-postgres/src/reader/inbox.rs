//! What waits for a person: tasks and dead letters.

use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::job::{
    DeadLetterFilter, DeadLetterRecord, Holder, PAGE_MAX, TaskFilter, TaskRecord,
};
use waystation_core::port::{Error, TaskChange, TaskChanged};

use super::Reader;
use crate::parameter::Parameter;

const TASK: &str = "SELECT task_id, job_id, task.pipeline, task.stage, task.created_at, assignee, \
     claimed_until, due_at, task.body FROM task JOIN job ON job.job_number = task.job";
// Whose they are is asked as: is it this person's, or nobody's; and which of the two count.
const TASKS: &str = "task_id > $1 AND ($2::text IS NULL OR task.pipeline = $2) \
     AND ($3::text IS NULL OR task.stage = $3) AND ($4::text IS NULL OR job_id = $4) \
     AND ($5::bigint IS NULL OR due_at < $5) AND ($6 \
     OR $7 AND (assignee IS NULL OR coalesce(claimed_until <= $9, false)) \
     OR assignee = $8 AND coalesce(claimed_until > $9, true)) ORDER BY task_id LIMIT $10";
const LETTERS: &str = "SELECT dead_letter_id, job_id, job.pipeline, dead_letter.stage, \
     dead_letter.failure, at, dead_letter.body \
     FROM dead_letter JOIN job ON job.job_number = dead_letter.job \
     WHERE ($1::text IS NULL OR dead_letter.pipeline = $1) \
     AND ($2::text IS NULL OR dead_letter.stage = $2) AND ($3::text IS NULL OR job_id = $3) \
     AND dead_letter_id < $4 ORDER BY dead_letter_id DESC LIMIT $5";
// It is theirs to change, as far as anybody holds it.
const UNLESS_HELD: &str = "task_id = $1 AND (assignee IS NULL OR assignee = $2 \
     OR coalesce(claimed_until <= $3, false)) RETURNING 1";

impl Reader {
    /// A task.
    pub async fn task(&self, task_id: i64) -> Result<Option<TaskRecord>, Error> {
        let sql = format!("{TASK} WHERE task_id = $1");
        Ok(self.rows(&sql, &[&task_id]).await?.first().map(task))
    }

    /// A page of the inbox, oldest first.
    pub async fn tasks(
        &self,
        filter: &TaskFilter,
        now: Timestamp,
    ) -> Result<Vec<TaskRecord>, Error> {
        let (any, nobody, person) = match &filter.holder {
            Holder::Any => (true, false, None),
            Holder::Nobody => (false, true, None),
            Holder::Person(person) => (false, false, Some(person.as_str())),
            Holder::PersonOrNobody(person) => (false, true, Some(person.as_str())),
        };
        let after = filter.after.unwrap_or(i64::MIN);
        let pipeline = filter.pipeline.as_ref().map(PipelineName::as_str);
        let stage = filter.stage.as_ref().map(StageId::as_str);
        let job_id = filter.job_id.as_ref().map(JobId::as_str);
        let due_before = filter.due_before.map(|moment| moment.0);
        let limit = filter.limit.min(PAGE_MAX) as i64;
        let parameters: [&(dyn Parameter + Sync); 10] = [
            &after,
            &pipeline,
            &stage,
            &job_id,
            &due_before,
            &any,
            &nobody,
            &person,
            &now.0,
            &limit,
        ];
        let rows = self.rows(&format!("{TASK} WHERE {TASKS}"), &parameters).await?;
        Ok(rows.iter().map(task).collect())
    }

    /// Changes a task, unless it is somebody else's who keeps it from that.
    pub async fn change_task(
        &self,
        task_id: i64,
        change: &TaskChange,
        now: Timestamp,
    ) -> Result<TaskChanged, Error> {
        let changed = match change {
            TaskChange::Claim { by, until } => {
                let sql = format!(
                    "UPDATE task SET assignee = $2, claimed_until = $4 WHERE {UNLESS_HELD}"
                );
                self.change(&sql, &[&task_id, &by.as_str(), &now.0, &until.0]).await?
            }
            TaskChange::Release { by } => {
                let sql = format!(
                    "UPDATE task SET assignee = NULL, claimed_until = NULL WHERE {UNLESS_HELD}"
                );
                self.change(&sql, &[&task_id, &by.as_str(), &now.0]).await?
            }
            TaskChange::Assign { to } => {
                let sql = "UPDATE task SET assignee = $2, claimed_until = NULL \
                     WHERE task_id = $1 RETURNING 1";
                self.change(sql, &[&task_id, &to.as_deref()]).await?
            }
            TaskChange::Due(moment) => {
                let sql = "UPDATE task SET due_at = $2 WHERE task_id = $1 RETURNING 1";
                self.change(sql, &[&task_id, &moment.map(|moment| moment.0)]).await?
            }
        };
        Ok(match (self.task(task_id).await?, changed.is_empty()) {
            (None, _) => TaskChanged::Unknown,
            (Some(task), false) => TaskChanged::Done(task),
            (Some(task), true) => TaskChanged::Held(task),
        })
    }

    /// A page of the dead letters, newest first.
    pub async fn dead_letters(
        &self,
        filter: &DeadLetterFilter,
    ) -> Result<Vec<DeadLetterRecord>, Error> {
        let pipeline = filter.pipeline.as_ref().map(PipelineName::as_str);
        let stage = filter.stage.as_ref().map(StageId::as_str);
        let job_id = filter.job_id.as_ref().map(JobId::as_str);
        let before = filter.before.unwrap_or(i64::MAX);
        let limit = filter.limit.min(PAGE_MAX) as i64;
        let rows = self.rows(LETTERS, &[&pipeline, &stage, &job_id, &before, &limit]).await?;
        let letter = |row: &Row| {
            let unknown = || Failure::new(ErrorKind::Error, "the reason was not kept");
            Ok(DeadLetterRecord {
                dead_letter_id: row.get(0),
                job_id: JobId::from(row.get::<_, &str>(1)),
                pipeline: PipelineName::from(row.get::<_, &str>(2)),
                stage: StageId::from(row.get::<_, &str>(3)),
                failure: self.failure(row.get(4))?.unwrap_or_else(unknown),
                at: Timestamp(row.get(5)),
                body: row.get(6),
            })
        };
        rows.iter().map(letter).collect()
    }
}

fn task(row: &Row) -> TaskRecord {
    let moment = |column: usize| row.get::<_, Option<i64>>(column).map(Timestamp);
    TaskRecord {
        task_id: row.get(0),
        job_id: JobId::from(row.get::<_, &str>(1)),
        pipeline: PipelineName::from(row.get::<_, &str>(2)),
        stage: StageId::from(row.get::<_, &str>(3)),
        created_at: Timestamp(row.get(4)),
        assignee: row.get(5),
        claimed_until: moment(6),
        due_at: moment(7),
        body: row.get(8),
    }
}
