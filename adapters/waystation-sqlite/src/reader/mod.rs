//! Reading, on connections of its own: readers never wait for the writer, nor it for them.

mod inbox;
mod jobs;
mod pipelines;
mod steps;
mod timeline;

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use waystation_core::clock::Timestamp;
use waystation_core::failure::Failure;
use waystation_core::id::QueueName;
use waystation_core::port::{Depth, Error};

use crate::Sqlite;
use crate::connection::open_reader;
use crate::error::explain;
use crate::names;
use crate::options::Options;

pub use inbox::{dead_letters, task, tasks};
pub use jobs::{abort_marks, counts, job, jobs};
pub use pipelines::{checkpoint, live_versions, pipeline, pipelines};
pub use steps::step_result;
pub use timeline::{events, log};

/// The most connections that are kept open between reads.
const IDLE_MAX: usize = 4;

/// Connections that only read.
pub struct Readers {
    options: Options,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    /// None is opened before it is needed.
    pub fn new(options: Options) -> Self {
        Self { options, idle: Arc::default() }
    }
}

impl Sqlite {
    /// Reads on a thread that may block.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let readers = &self.shared.readers;
        let (options, idle) = (readers.options.clone(), Arc::clone(&readers.idle));
        let name = options.path.display().to_string();
        let work = tokio::task::spawn_blocking(move || {
            let kept = idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = kept.map_or_else(|| open_reader(&options), Ok)?;
            let result = query(&connection)
                .map_err(|error| explain(&options.path.display().to_string(), &error));
            let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() < IDLE_MAX {
                idle.push(connection);
            }
            result
        });
        work.await.map_err(|error| Error::Broken { name, message: error.to_string() })?
    }
}

/// How much waits in a queue.
pub fn depth(
    connection: &Connection,
    queue: &QueueName,
    now: Timestamp,
) -> rusqlite::Result<Depth> {
    let Some(queue) = names::find(connection, queue.as_str())? else {
        return Ok(Depth::default());
    };
    // What is due counts as ready although nobody has asked for it yet.
    let ready: (u64, Option<i64>) = connection
        .prepare_cached(
            // Two halves, each by an index of its own.
            "SELECT sum(messages), min(oldest) FROM ( \
             SELECT count(*) AS messages, min(enqueued_at) AS oldest FROM message \
             WHERE queue = ?1 AND state = 0 \
             UNION ALL SELECT count(*), min(enqueued_at) FROM message \
             WHERE queue = ?1 AND due <= ?2)",
        )?
        .query_row(params![queue, now.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (leased, delayed) = connection
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE state = 1), count(*) FILTER (WHERE state = 2) \
             FROM message WHERE queue = ?1 AND due > ?2",
        )?
        .query_row(params![queue, now.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(Depth { ready: ready.0, delayed, leased, oldest: ready.1.map(Timestamp) })
}

/// A failure as the file keeps it.
fn failure(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Failure>> {
    let Some(text) = row.get::<_, Option<String>>(column)? else { return Ok(None) };
    serde_json::from_str(&text).map(Some).map_err(|error| corrupt(column, error))
}

/// The known value of this number.
fn nth<T: Copy>(row: &Row<'_>, column: usize, known: &[T]) -> rusqlite::Result<T> {
    let number: i64 = row.get(column)?;
    let value = usize::try_from(number).ok().and_then(|place| known.get(place)).copied();
    value.ok_or(rusqlite::Error::IntegralValueOutOfRange(column, number))
}

fn corrupt(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

/// The number of a job.
fn job_number(connection: &Connection, job_id: &str) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT job_number FROM job WHERE job_id = ?1")?
        .query_row([job_id], |row| row.get(0))
        .optional()
}
