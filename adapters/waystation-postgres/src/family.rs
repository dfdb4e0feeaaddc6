//! How families stand in the tables: a child's parent, and what a job waits for.

use tokio_postgres::Row;
use waystation_core::id::JobId;
use waystation_core::job::Awaited;
use waystation_core::settlement::{Parent, Quorum, Tally};

/// Whose child a job is, if it is one: `parent`, `parent_visit` and `position`, from this column
/// on.
pub fn parent(row: &Row, column: usize) -> Option<Parent> {
    let job_id = row.get::<_, Option<&str>>(column).map(JobId::from)?;
    let visit = row.get::<_, Option<i32>>(column + 1).unwrap_or_default() as u32;
    let position = row.get::<_, Option<i64>>(column + 2).unwrap_or_default() as u32;
    Some(Parent { job_id, visit, position })
}

/// What a job waits for: `visit`, `completed`, `failed` and the quorum's three in the order of the
/// table, from this column on.
pub fn awaited(row: &Row, column: usize) -> Awaited {
    let visit = row.get::<_, i32>(column) as u32;
    let count = |place: usize| row.get::<_, i64>(column + place).try_into().unwrap_or(u32::MAX);
    let quorum = Quorum { visit, completed: count(3), failed: count(4), ended: count(5) };
    Awaited { visit, quorum, tally: Tally { completed: count(1), failed: count(2) } }
}
