//! Live updates: what happens to a job, a pipeline or everything, as it happens.
//!
//! One [`Hub`] a server reads the store's feed of events and the bus, gathers what they tell by
//! [`Topic`], and sends each follower of a topic at most four messages a second, however much
//! happens: numbers and a few events where many jobs are followed, everything where it is one job.
//! Every message bears a cursor to go on from. Whoever is too slow to read is let go, never waited
//! for. The wire form is in `docs/live.md`.

mod follower;
mod gathered;
mod hub;
mod message;
mod ring;
mod routes;
mod service;
mod snapshot;
mod stream;
#[cfg(test)]
mod tests;
mod topic;

pub use hub::Hub;
pub use routes::routes;
pub use topic::Topic;
