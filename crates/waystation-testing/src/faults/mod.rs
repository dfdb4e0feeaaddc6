//! What goes wrong, made to order: a queue that fails when told to, connections that break, and
//! handlers that misbehave.

mod flaky;
mod handlers;
mod proxy;
#[cfg(test)]
mod tests;

pub use flaky::{Call, Flaky, Moment};
pub use handlers::{FailsAtFirst, IgnoresCancellation, NeverReturns, Panics, Release, WrongOutput};
pub use proxy::Proxy;
