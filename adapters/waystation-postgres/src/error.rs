//! PostgreSQL's errors in the port's words.

use tokio_postgres::error::SqlState;
use waystation_core::port::Error;

use crate::tls;

/// What PostgreSQL answers.
pub type Result<T> = std::result::Result<T, tokio_postgres::Error>;

/// Says what an error of the server means for the database of this name.
pub fn explain(name: &str, error: &tokio_postgres::Error) -> Error {
    let name = name.to_owned();
    let message = error
        .as_db_error()
        .map_or_else(|| chain(error), |db| format!("{} ({})", db.message(), db.code().code()));
    match error.code() {
        Some(code) if *code == SqlState::DISK_FULL => Error::Full { name, message },
        Some(code) if passes(code) => Error::Unavailable { name, message },
        Some(_) => Error::Broken { name, message },
        // Without a code it is the connection that failed.
        None if let Some(hint) = tls::remedy(error) => {
            Error::Broken { name, message: format!("{message} (hint: {hint})") }
        }
        None => Error::Unavailable { name, message },
    }
}

/// Whether the same transaction may succeed when it is run again at once.
pub fn is_conflict(error: &tokio_postgres::Error) -> bool {
    matches!(
        error.code(),
        Some(code)
            if *code == SqlState::T_R_DEADLOCK_DETECTED
                || *code == SqlState::T_R_SERIALIZATION_FAILURE
                || *code == SqlState::UNIQUE_VIOLATION
    )
}

/// Conditions that pass by themselves: a server that restarts, or has no room for a moment.
fn passes(code: &SqlState) -> bool {
    let class = &code.code()[..2];
    // Connection exceptions, transaction rollbacks, lack of resources, operator intervention.
    matches!(class, "08" | "40" | "53" | "57") || *code == SqlState::LOCK_NOT_AVAILABLE
}

/// An error with its causes.
pub fn chain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
