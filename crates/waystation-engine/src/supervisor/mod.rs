//! Starts, watches, restarts and drains the workers of one host.
//!
//! A worker is a process of its own, or a task of this one. States of a worker's place (a *slot*):
//! *running*; *draining* (it is to end, and another one starts in its place); *waiting* (it ended
//! before its time, and the next one starts at a stated moment); *given up* (that happened too
//! often).
//!
//! [`policy`] decides, [`watch`] carries out. A worker says on its output what it does ([`line`]),
//! and ends when its input does: whatever becomes of the supervisor, no worker outlives it for
//! long.

mod child;
mod line;
mod policy;
mod reason;
mod status;
mod task;
mod watch;
mod worker;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::backend::Backend;
use crate::engine;
use crate::pipelines::Role;
use waystation_core::id::PipelineName;

use crate::definition::Registry;

pub use policy::Restarts;
pub use status::{End, EngineStatus, SlotState, WorkerStatus};
pub use watch::{Supervising, Supervisor, SupervisorError};
pub use worker::work;

pub(crate) use status::read as engines;

/// What a worker is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Its role.
    pub role: Role,
    /// Which one of that role, counted from 0.
    pub index: usize,
}

/// Which pipelines the workers run, and how.
#[derive(Clone)]
pub struct Work {
    /// Where they are.
    pub backend: Backend,
    /// What their stages are.
    pub registry: Registry,
    /// Only these; all that the store has, unless some are named.
    pub only: Vec<PipelineName>,
    /// How their engines run.
    pub options: engine::Options,
}

/// How workers are started.
#[derive(Clone)]
pub enum Launch {
    /// As processes: by this command, whose program calls [`work`] with the assignment.
    Processes(Arc<dyn Fn(&Assignment) -> Command + Send + Sync>),
    /// As tasks of this process.
    Tasks(Box<Work>),
}

/// How many workers there are, and when one is taken for lost.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many work at stages.
    pub processing_workers: usize,
    /// How many look after sources.
    pub source_workers: usize,
    /// How long what runs may go on once a worker is to end.
    pub drain: Duration,
    /// After so long without a sign that it goes on, a worker is taken for hung, and killed.
    pub hang: Duration,
    /// A worker with more memory than this ends when what it has in hand has; another one starts.
    pub memory_bytes_max: Option<u64>,
    /// When workers are started again that ended before their time.
    pub restarts: Restarts,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            processing_workers: 1,
            source_workers: 1,
            drain: Duration::from_secs(30),
            hang: Duration::from_mins(1),
            memory_bytes_max: None,
            restarts: Restarts::default(),
        }
    }
}

impl Options {
    fn assignments(&self) -> impl Iterator<Item = Assignment> {
        let of = |role, count| (0..count).map(move |index| Assignment { role, index });
        of(Role::Processing, self.processing_workers).chain(of(Role::Source, self.source_workers))
    }
}

impl std::fmt::Display for Assignment {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let role = match self.role {
            Role::Processing => "processing",
            Role::Source => "source",
        };
        write!(formatter, "{role}-{}", self.index)
    }
}
