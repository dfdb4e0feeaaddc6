//! SQLite's errors in the port's words.

use rusqlite::ErrorCode;
use waystation_core::port::Error;

/// Says what an error of SQLite means for the store of this name.
pub fn explain(name: &str, error: &rusqlite::Error) -> Error {
    let name = name.to_owned();
    let message = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => Error::Full { name, message },
        // SQLite names I/O errors only by number; the system's own word follows where it has one.
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed
            // As when the process has no more file descriptors.
            | ErrorCode::CannotOpen,
        ) => Error::Unavailable { name, message },
        Some(ErrorCode::NotADatabase) => Error::Broken {
            name,
            message: "this file is not a database of SQLite (hint: name another file)".into(),
        },
        _ => Error::Broken { name, message },
    }
}
