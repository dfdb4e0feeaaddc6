//! SQLite files, read by a thread of their own for each question.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{InterruptHandle, OpenFlags, ToSql, params_from_iter};
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};

use super::Row;
use super::query::Asked;
use crate::listing::hexadecimal;

/// A file.
#[derive(Clone)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// How long a question to it may take.
    pub timeout: Duration,
}

/// A file that is open.
pub struct Connection {
    inner: Arc<Mutex<rusqlite::Connection>>,
    /// Ends what takes too long.
    interrupt: InterruptHandle,
    file: File,
}

impl File {
    /// The file of this URL.
    pub fn of(url: &str, timeout: Duration) -> Result<Self, String> {
        let path = url.strip_prefix("sqlite://").filter(|path| !path.is_empty());
        let path = path.ok_or("it names no file (hint: sqlite://FILE)")?;
        let path = std::path::absolute(path).map_err(|error| error.to_string())?;
        Ok(Self { path, timeout })
    }

    /// Opens it, to be read only.
    pub async fn open(&self) -> Result<Connection, Failure> {
        let file = self.clone();
        let inner = blocking(move || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let opened = rusqlite::Connection::open_with_flags(&file.path, flags);
            let connection = opened.map_err(|error| file.failed(ErrorKind::NotFound, &error))?;
            let set = connection.busy_timeout(file.timeout);
            set.map_err(|error| file.failed(ErrorKind::Error, &error))?;
            Ok(connection)
        })
        .await?;
        let interrupt = inner.get_interrupt_handle();
        Ok(Connection { inner: Arc::new(Mutex::new(inner)), interrupt, file: self.clone() })
    }

    fn failed(&self, kind: ErrorKind, error: &rusqlite::Error) -> Failure {
        let mut failure = Failure::new(kind, format!("cannot read {}", self.path.display()));
        failure.causes.push(error.to_string());
        failure
    }
}

impl Connection {
    /// What it answers.
    pub async fn rows(&self, asked: Asked) -> Result<Vec<Row>, Failure> {
        let (inner, file) = (Arc::clone(&self.inner), self.file.clone());
        let reading = blocking(move || {
            let connection = inner.lock().unwrap_or_else(PoisonError::into_inner);
            let read = read(&connection, &asked);
            read.map_err(|error| file.failed(ErrorKind::Error, &error))?.into_iter().collect()
        });
        let limit = self.file.timeout;
        tokio::time::timeout(limit, reading).await.unwrap_or_else(|_| {
            self.interrupt.interrupt();
            let (path, seconds) = (self.file.path.display(), limit.as_secs_f64());
            let message = format!("{path} did not answer within {seconds} s");
            Err(Failure::new(ErrorKind::Timeout, message))
        })
    }
}

fn read(
    connection: &rusqlite::Connection,
    asked: &Asked,
) -> rusqlite::Result<Vec<Result<Row, Failure>>> {
    let mut statement = connection.prepare(&asked.text)?;
    let names: Vec<String> = statement.column_names().skip(2).map(str::to_owned).collect();
    let values = params_from_iter(asked.values.iter().map(Bound));
    let mut rows = statement.query(values)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let (watermark, id) = (row.get_ref(0)?, row.get_ref(1)?);
        let mut params = Params::new();
        for (index, name) in names.iter().enumerate() {
            params.insert(name.clone(), shown(row.get_ref(index + 2)?));
        }
        found.push(match (ordered(watermark), ordered(id)) {
            (Some(watermark), Some(id)) => Ok(Row { watermark, id, params }),
            _ => Err(Failure::new(
                ErrorKind::Contract,
                format!("watermark and id must be texts or numbers: {}", json!(params)),
            )),
        });
    }
    Ok(found)
}

/// A value of JSON as a parameter.
pub struct Bound<'a>(pub &'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Null => ToSqlOutput::from(rusqlite::types::Null),
            Value::Bool(value) => ToSqlOutput::from(*value),
            Value::String(text) => ToSqlOutput::from(text.as_str()),
            Value::Number(number) => match number.as_i64() {
                Some(whole) => ToSqlOutput::from(whole),
                None => ToSqlOutput::from(number.as_f64().unwrap_or_default()),
            },
            other => ToSqlOutput::from(other.to_string()),
        })
    }
}

/// A value that rows may be put in order by.
fn ordered(value: ValueRef<'_>) -> Option<Value> {
    match value {
        ValueRef::Integer(_) | ValueRef::Real(_) => Some(shown(value)),
        ValueRef::Text(bytes) => std::str::from_utf8(bytes).ok().map(Value::from),
        ValueRef::Null | ValueRef::Blob(_) => None,
    }
}

/// A value as a param; bytes as PostgreSQL writes them.
fn shown(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => json!(number),
        ValueRef::Real(number) => json!(number),
        ValueRef::Text(bytes) => Value::from(String::from_utf8_lossy(bytes)),
        ValueRef::Blob(bytes) => Value::from(format!("\\x{}", hexadecimal(bytes))),
    }
}

/// Does what would keep others waiting on a thread of its own.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let work = tokio::task::spawn_blocking(work);
    work.await.map_err(|error| Failure::from_error(ErrorKind::Panic, &error))?
}
