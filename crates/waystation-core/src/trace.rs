//! Traces: what lets a program of the outside see a job through all its stages as one.
//!
//! A contract carries the W3C's `traceparent`, which names the trace and the span that the job's
//! attempts belong to. It is the same at every stage, so that all attempts stand side by side.

use std::fmt;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::contract::Contract;
use crate::failure::Failure;
use crate::id::{JobId, PipelineName, StageId};

/// Where a contract keeps it: under the name of the HTTP header.
const FIELD: &str = "traceparent";
/// The parts of version 00, in hexadecimal digits: version, trace, span, flags.
const DIGITS: [usize; 4] = [2, 32, 16, 2];

/// A trace and a span in it, as W3C Trace Context 1.0 writes them:
/// `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traceparent(String);

impl Traceparent {
    /// Reads one. `None` when it is none, or one of another version than 00.
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let is_hexadecimal =
            |part: &str| part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let fits = parts.len() == DIGITS.len()
            && parts.iter().zip(DIGITS).all(|(part, digits)| part.len() == digits)
            && parts.iter().copied().all(is_hexadecimal)
            && parts[0] == "00";
        let names_nothing = |part: &str| part.bytes().all(|byte| byte == b'0');
        let is_one = fits && !names_nothing(parts[1]) && !names_nothing(parts[2]);
        is_one.then(|| Self(text.to_owned()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Traceparent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl Contract {
    /// The trace that the job belongs to. `None` also where the field holds something else.
    pub fn traceparent(&self) -> Option<Traceparent> {
        Traceparent::parse(self.other.get(FIELD)?.as_str()?)
    }

    /// The job belongs to this trace.
    pub fn set_traceparent(&mut self, traceparent: &Traceparent) {
        self.other.insert(FIELD.to_owned(), Value::String(traceparent.to_string()));
    }
}

/// An attempt that begins, as it is told to a [`Tracer`].
#[derive(Clone, Copy, Debug)]
pub struct Beginning<'a> {
    /// The trace that its job belongs to.
    pub parent: Option<&'a Traceparent>,
    /// The job.
    pub job_id: &'a JobId,
    /// Its pipeline.
    pub pipeline: &'a PipelineName,
    /// The stage.
    pub stage: &'a StageId,
    /// Which stage run of the job this is.
    pub visit: u32,
    /// Which attempt of the run this is.
    pub attempt: u32,
    /// When it began.
    pub at: Timestamp,
}

/// Tells an outside program what jobs go through. Nothing waits for it, and nothing depends on it.
pub trait Tracer: Send + Sync {
    /// A job comes into being that belongs to no trace: the one that it is to belong to.
    fn job(&self, job_id: &JobId, pipeline: &PipelineName, at: Timestamp) -> Option<Traceparent>;

    /// An attempt begins. Attempts of jobs that belong to no trace may be left out.
    fn attempt(&self, beginning: Beginning<'_>) -> Option<Box<dyn Span>>;
}

/// An attempt that is traced. One that is dropped before it ended was given up: its lease was lost.
pub trait Span: Send + Sync {
    /// The attempt itself, for what its handler calls.
    fn traceparent(&self) -> Option<Traceparent>;

    /// It ended: with this outcome, and why where it failed.
    fn end(self: Box<Self>, outcome: &str, failure: Option<&Failure>, at: Timestamp);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_told_from_other_texts() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(Traceparent::parse(good).map(|one| one.to_string()), Some(good.to_owned()));
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        ] {
            assert_eq!(Traceparent::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn contract_carries_it_over_the_wire() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let mut contract = Contract::new("a".into(), crate::Params::new());
        assert_eq!(contract.traceparent(), None);
        contract.set_traceparent(&Traceparent::parse(text).expect("it is one"));
        let read = Contract::parse(&contract.to_bytes()).expect("it is one");
        assert_eq!(read.traceparent().map(|one| one.to_string()), Some(text.to_owned()));
    }
}
