//! The engine: takes deliveries, runs handlers, settles what came of them.
//!
//! One job's way through it: [`Client::submit`] makes the job; a [`worker`] receives its delivery;
//! an [`attempt`](worker) checks the contract and runs the handler; [`decide`] turns the outcome
//! into a settlement; the worker settles it, and with that the next stage's message exists. Sources
//! make jobs by themselves; manual stages end in the inbox, and [`Client::answer`] goes on from
//! there.

mod abort;
mod backend;
mod broker;
mod client;
pub mod control;
pub mod decide;
mod definition;
mod engine;
mod graph;
mod janitor;
mod lanes;
mod lease_keeper;
mod pipelines;
mod progress_keeper;
pub mod remote;
pub mod sources;
mod staff;
mod stop;
pub mod supervisor;
pub mod why;
mod worker;

pub use backend::{Backend, Buses};
pub use broker::Books;
pub use client::{
    AnswerError, Client, Depths, Explained, HookError, Hooked, JobError, RetryWith, SourceError,
    SourceStanding, Submission, SubmitError,
};
pub use definition::{Definition, DefinitionError, Environment, Registry};
pub use engine::{Engine, EngineError, Handle, Options, Sources};
pub use graph::Graph;
pub use lanes::Full;
pub use pipelines::{Pipelines, Role};
