//! What is kept of steps.

use rusqlite::{Connection, OptionalExtension, params};
use waystation_core::step::StepKey;

/// What a step gave.
pub fn step_result(connection: &Connection, step: &StepKey) -> rusqlite::Result<Option<Vec<u8>>> {
    connection
        .prepare_cached(
            "SELECT result FROM step \
             WHERE job_id = ?1 AND stage = ?2 AND first_visit = ?3 AND name = ?4",
        )?
        .query_row(
            params![step.job_id.as_str(), step.stage.as_str(), step.first_visit, step.name],
            |row| row.get(0),
        )
        .optional()
}
