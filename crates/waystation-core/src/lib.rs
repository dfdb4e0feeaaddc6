//! The vocabulary and the ports of Waystation.
//!
//! Everything here is a value or a decision: jobs and their states, the contract on the wire,
//! pipelines and their checks, retry policies, settlements, and the three ports that adapters
//! implement. Nothing here starts a task, opens a file or talks to a network.

pub mod blob;
pub mod clock;
pub mod condition;
pub mod contract;
pub mod event;
pub mod expression;
pub mod failure;
pub mod form;
pub mod handler;
pub mod hook;
pub mod id;
pub mod job;
pub mod journal;
pub mod key;
pub mod needle;
pub mod partition;
pub mod pipeline;
pub mod port;
pub mod progress;
pub mod projection;
pub mod retry;
pub mod schedule;
pub mod settlement;
pub mod source;
pub mod state;
pub mod statistics;
pub mod step;
pub mod trace;

/// A job's shared state: the JSON object that stages read and add to.
pub type Params = serde_json::Map<String, serde_json::Value>;
