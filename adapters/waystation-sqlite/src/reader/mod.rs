//! Reading, on connections of its own: readers never wait for the writer, nor it for them.

mod depths;
mod family;
mod feed;
mod inbox;
mod jobs;
mod page;
mod pipelines;
mod records;
mod statistics;
mod steps;
mod timeline;
mod turns;

use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};
use waystation_core::failure::Failure;
use waystation_core::port::Error;

use crate::Sqlite;
use crate::connection::open_reader;
use crate::error::explain;
use crate::options::Options;

pub use depths::{depth, depths};
pub use family::{awaited, children};
pub use feed::feed;
pub use inbox::{dead_letters, task, tasks};
pub use jobs::{abort_marks, counts, job};
pub use page::jobs;
pub use pipelines::{checkpoint, live_versions, pipeline, pipelines};
pub use records::{record, records};
pub use statistics::statistics;
pub use steps::step_result;
pub use timeline::{events, log};
pub use turns::behind;

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
