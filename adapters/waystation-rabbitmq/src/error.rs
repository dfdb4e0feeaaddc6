//! What the broker said, in the words of the port.

use lapin::ErrorKind;
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use waystation_core::port::Error;

/// What ends a connection or a channel may be gone after the next reconnection.
pub fn explain(name: &str, error: &lapin::Error) -> Error {
    Error::Unavailable { name: name.to_owned(), message: error.to_string() }
}

/// Why a queue or an exchange is not had. What its arguments or our rights forbid stays so.
pub fn explain_declare(name: &str, what: &str, error: &lapin::Error) -> Error {
    let hint = match soft(error) {
        Some(AMQPSoftError::ACCESSREFUSED) => {
            "the user needs the rights to configure, write and read it"
        }
        Some(AMQPSoftError::NOTFOUND) => {
            let message = format!("{what}: {error} (hint: declare=passive makes no queues)");
            return Error::Unavailable { name: name.to_owned(), message };
        }
        _ => return explain(name, error),
    };
    let message = format!("{what}: {error} (hint: {hint})");
    Error::Broken { name: name.to_owned(), message }
}

/// Why there is no connection at all. What will stay so until somebody acts ends the start.
pub fn explain_connect(name: &str, error: &lapin::Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::ProtocolError(amqp) => match amqp.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => "user or password is wrong",
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => {
                "does the virtual host exist, and may the user use it?"
            }
            _ => return explain(name, error),
        },
        ErrorKind::AuthProviderError(_) => "user or password is wrong",
        ErrorKind::InvalidProtocolVersion(_) => "does this port speak AMQP 0-9-1?",
        _ => return explain(name, error),
    };
    Error::Broken { name: name.to_owned(), message: format!("{error} (hint: {hint})") }
}

fn soft(error: &lapin::Error) -> Option<AMQPSoftError> {
    let ErrorKind::ProtocolError(amqp) = error.kind() else { return None };
    match amqp.kind() {
        AMQPErrorKind::Soft(soft) => Some(soft.clone()),
        AMQPErrorKind::Hard(_) => None,
    }
}

/// The queue that is not there.
pub fn is_not_found(error: &lapin::Error) -> bool {
    matches!(soft(error), Some(AMQPSoftError::NOTFOUND))
}

/// It is there with other arguments.
pub fn is_otherwise(error: &lapin::Error) -> bool {
    matches!(soft(error), Some(AMQPSoftError::PRECONDITIONFAILED))
}

/// Somebody else has it for themselves.
pub fn is_taken(error: &lapin::Error) -> bool {
    match soft(error) {
        Some(AMQPSoftError::RESOURCELOCKED) => true,
        // The same code as for a right that we have not.
        Some(AMQPSoftError::ACCESSREFUSED) => error.to_string().contains("exclusive"),
        _ => false,
    }
}
