//! The claims of one server.

use std::sync::Arc;
use std::time::Duration;

use super::{Answer, Claim, ClaimId, ClaimRequest, Completed, Error, Extension, Failed, Line};
use crate::client::Client;

/// How a server keeps claims.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long leases last where workers do not say.
    pub lease: Duration,
    /// How many claims are out at a time.
    pub claims_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { lease: Duration::from_secs(30), claims_max: 10_000 }
    }
}

/// Hands out work to remote workers and takes back what came of it. Clones are the same.
#[derive(Clone)]
pub struct Remote(Arc<Client>);

impl Remote {
    /// Begins to hand out what this client's backend has.
    pub async fn start(client: Client, options: Options) -> Result<Self, Error> {
        let _ = options;
        Ok(Self(Arc::new(client)))
    }

    /// Takes up to so many jobs for a worker. Waits while there is none, and returns none then. A
    /// paused stage gives none. If the call is dropped, what was taken for it goes back, uncounted.
    pub async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claim>, Error> {
        let _ = request;
        Err(Error::Stopping)
    }

    /// Makes claims last from now: for so long, or for as long as they were taken for. Answers
    /// stand in the claims' order. Idempotent.
    pub async fn extend(
        &self,
        claims: &[ClaimId],
        lease: Option<Duration>,
    ) -> Result<Vec<Extension>, Error> {
        let _ = (claims, lease);
        Err(Error::Stopping)
    }

    /// The work is done. Durable when it returns. Idempotent: the same told twice is answered the
    /// same.
    pub async fn complete(&self, claim: &ClaimId, completed: Completed) -> Result<Answer, Error> {
        let _ = (claim, completed);
        Err(Error::Lost)
    }

    /// The work failed: the stage's retry policy decides. Durable when it returns. Idempotent.
    pub async fn fail(&self, claim: &ClaimId, failed: Failed) -> Result<Answer, Error> {
        let _ = (claim, failed);
        Err(Error::Lost)
    }

    /// The worker cannot do it now: the job goes back, uncounted. Idempotent.
    pub async fn hand_back(&self, claim: &ClaimId) -> Result<Answer, Error> {
        let _ = claim;
        Err(Error::Lost)
    }

    /// How far the work is, from 0 to 100, and what it does now. Lossy.
    pub async fn progress(
        &self,
        claim: &ClaimId,
        percent: f64,
        message: &str,
    ) -> Result<(), Error> {
        let _ = (claim, percent, message);
        Err(Error::Lost)
    }

    /// Lines for the job's log: to those who look on at once, and kept when the claim ends.
    pub async fn log(&self, claim: &ClaimId, lines: &[Line]) -> Result<(), Error> {
        let _ = (claim, lines);
        Err(Error::Lost)
    }

    /// Hands out nothing more, and gives back what only this process could take back: with a
    /// broker, all that is out. Elsewhere other servers take up the claims. May be called twice.
    pub async fn stop(&self) {}
}
