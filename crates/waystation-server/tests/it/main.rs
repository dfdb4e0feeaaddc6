//! The server, asked over HTTP as its users ask it.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a failed unwrap is a failed test"
)]

mod access;
mod audit;
mod contract;
mod control;
mod document;
mod events;
mod inbox;
mod jobs;
mod limits;
mod operations;
mod pipelines;
mod previews;
mod watching;
mod work;
mod world;
