//! SQLite files, written to by a thread of their own.

use rusqlite::{ErrorCode, OpenFlags, TransactionBehavior, params_from_iter};
use serde_json::Value;
use waystation_core::failure::{ErrorKind, Failure};

use crate::sql::sqlite::{Bound, File, blocking};

/// Runs the statement for each row, all or none. How many rows it wrote.
pub async fn write(file: &File, text: String, rows: Vec<Vec<Value>>) -> Result<u64, Failure> {
    let (opened, writing) = (file.clone(), file.clone());
    let connection = blocking(move || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = rusqlite::Connection::open_with_flags(&opened.path, flags);
        let connection = connection.map_err(|error| failed(&opened, &error))?;
        let set = connection.busy_timeout(opened.timeout);
        set.map_err(|error| failed(&opened, &error))?;
        Ok(connection)
    })
    .await?;
    let interrupt = connection.get_interrupt_handle();
    let work = blocking(move || {
        let done = run(connection, &text, &rows);
        done.map_err(|error| failed(&writing, &error))
    });
    tokio::time::timeout(file.timeout, work).await.unwrap_or_else(|_| {
        // What is interrupted is rolled back.
        interrupt.interrupt();
        let (path, seconds) = (file.path.display(), file.timeout.as_secs_f64());
        let message = format!("{path} took no rows within {seconds} s");
        Err(Failure::new(ErrorKind::Timeout, message))
    })
}

fn run(
    mut connection: rusqlite::Connection,
    text: &str,
    rows: &[Vec<Value>],
) -> rusqlite::Result<u64> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut affected = 0;
    {
        let mut statement = transaction.prepare(text)?;
        for row in rows {
            affected += statement.execute(params_from_iter(row.iter().map(Bound)))? as u64;
        }
    }
    transaction.commit()?;
    Ok(affected)
}

fn failed(file: &File, error: &rusqlite::Error) -> Failure {
    let kind = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => ErrorKind::Transient,
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => ErrorKind::Error,
        Some(ErrorCode::CannotOpen) => ErrorKind::NotFound,
        _ => ErrorKind::Permanent,
    };
    let mut failure = Failure::new(kind, format!("cannot write to {}", file.path.display()));
    failure.causes.push(match error {
        rusqlite::Error::ExecuteReturnedResults => {
            "the statement gives rows, which nobody reads (hint: without SELECT or RETURNING)"
                .into()
        }
        error => error.to_string(),
    });
    failure
}
