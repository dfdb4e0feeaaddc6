//! What goes wrong, made to order: a queue that fails when told to, and handlers that misbehave.

mod flaky;
mod handlers;
#[cfg(test)]
mod tests;

pub use flaky::{Call, Flaky, Moment};
pub use handlers::{FailsAtFirst, IgnoresCancellation, NeverReturns, Panics, Release, WrongOutput};
