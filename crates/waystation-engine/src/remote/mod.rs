//! Work for programs in any language: they claim, say that they go on, and tell what came of it.
//!
//! A stage of `type: remote` is served by claims alone. Everything else is as with a worker's
//! stage: what is checked before, retries, deadlines, what is too large, fencing, poison. Only the
//! lease is renewed by the program itself ([`Remote::extend`]): one that dies loses it, and the job
//! comes up again.
//!
//! States of a claim: *held*, and then *ended* (it was settled: the same end told again is answered
//! the same), or *lost* (its lease ran out, its time was over, or somebody else has the job).

mod callers;
mod carrying;
mod claiming;
mod claims;
mod ending;
mod error;
mod keeping;
mod posts;
mod room;
mod service;
mod token;
mod types;

pub use error::Error;
pub use service::{Options, Remote};
pub use types::{
    Answer, CLAIM_MAX, Claim, ClaimId, ClaimRequest, Completed, Extension, Failed, LEASE_MAX,
    LEASE_MIN, Line, WAIT_MAX,
};
