//! Pipelines by version, and where sources stand.

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;
use waystation_core::id::PipelineName;
use waystation_core::job::{PAGE_MAX, PipelineRecord};

use super::corrupt;
use crate::names;

/// A pipeline in this version, or in its newest.
pub fn pipeline(
    connection: &Connection,
    name: &PipelineName,
    version: Option<u32>,
) -> rusqlite::Result<Option<PipelineRecord>> {
    connection
        .prepare_cached(
            "SELECT version, source FROM pipeline WHERE name = ?1 AND (?2 IS NULL OR version = ?2) \
             ORDER BY version DESC LIMIT 1",
        )?
        .query_row(params![name.as_str(), version], |row| {
            let (version, source) = (row.get(0)?, row.get(1)?);
            Ok(PipelineRecord { name: name.clone(), version, source })
        })
        .optional()
}

/// All pipelines, each with its newest version.
pub fn pipelines(connection: &Connection) -> rusqlite::Result<Vec<(PipelineName, u32)>> {
    let mut select = connection.prepare_cached(
        "SELECT name, max(version) FROM pipeline GROUP BY name ORDER BY name LIMIT ?1",
    )?;
    let rows = select.query_map([PAGE_MAX], |row| {
        let name: String = row.get(0)?;
        Ok((PipelineName::from(name), row.get(1)?))
    })?;
    rows.collect()
}

/// The versions that living jobs are on.
pub fn live_versions(connection: &Connection, name: &PipelineName) -> rusqlite::Result<Vec<u32>> {
    let Some(number) = names::find(connection, name.as_str())? else { return Ok(Vec::new()) };
    let mut select = connection.prepare_cached(
        "SELECT pipeline_version FROM message JOIN job ON job.job_number = message.job \
         WHERE job.pipeline = ?1 \
         UNION SELECT pipeline_version FROM task JOIN job ON job.job_number = task.job \
         WHERE job.pipeline = ?1 ORDER BY 1",
    )?;
    let rows = select.query_map([number], |row| row.get(0))?;
    rows.collect()
}

/// Where a source stands.
pub fn checkpoint(connection: &Connection, source: &str) -> rusqlite::Result<Option<Value>> {
    let text: Option<String> = connection
        .prepare_cached("SELECT value FROM checkpoint WHERE source = ?1")?
        .query_row([source], |row| row.get(0))
        .optional()?;
    text.map(|text| serde_json::from_str(&text).map_err(|error| corrupt(0, error))).transpose()
}
