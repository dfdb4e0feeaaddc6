//! Whose tasks are, and when they are due.

use rusqlite::params;
use waystation_core::port::{TaskChange, TaskChanged};

use super::batch::Writer;
use crate::reader;

impl Writer {
    /// Changes a task, unless it is somebody else's who keeps it from that.
    pub(super) fn change_task(
        &mut self,
        task_id: i64,
        change: TaskChange,
    ) -> rusqlite::Result<TaskChanged> {
        let Some(mut task) = reader::task(&self.connection, task_id)? else {
            return Ok(TaskChanged::Unknown);
        };
        if !change.apply(&mut task, self.now) {
            return Ok(TaskChanged::Held(task));
        }
        self.connection
            .prepare_cached(
                "UPDATE task SET assignee = ?2, claimed_until = ?3, due_at = ?4 \
                 WHERE task_id = ?1",
            )?
            .execute(params![
                task_id,
                task.assignee,
                task.claimed_until.map(|moment| moment.0),
                task.due_at.map(|moment| moment.0),
            ])?;
        Ok(TaskChanged::Done(task))
    }
}
