//! What hands out claims and takes back what came of them.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use waystation_core::handler::Reporter;

use super::callers::Callers;
use super::carrying::Carrying;
use super::claims::Claims;
use super::ending::Told;
use super::posts::{Posts, Tools};
use super::{Answer, Claim, ClaimId, ClaimRequest, Completed, Error, Extension, Failed, Line};
use crate::client::Client;
use crate::control::Gate;
use crate::lease_keeper::LeaseKeeper;
use crate::progress_keeper::ProgressKeeper;

/// How a server keeps claims.
#[derive(Clone, Debug)]
pub struct Options {
    /// How long leases last where workers do not say.
    pub lease: Duration,
    /// How long after its time is over work that was finished after all is still taken.
    pub grace: Duration,
    /// How many claims are out at a time.
    pub claims_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { lease: Duration::from_secs(30), grace: Duration::from_secs(5), claims_max: 10_000 }
    }
}

/// Hands out work to remote workers and takes back what came of it. Clones are the same; when the
/// last of them is dropped, all that goes on in the background ends.
#[derive(Clone)]
pub struct Remote {
    inner: Arc<Inner>,
    _tasks: Arc<Vec<AbortOnDropHandle<()>>>,
}

/// What the parts share.
pub struct Inner {
    pub client: Client,
    pub options: Options,
    pub gate: Gate,
    pub posts: Posts,
    pub claims: Claims,
    pub callers: Callers,
    pub carrying: Carrying,
    /// Cancelled when nothing more is handed out.
    pub stop: CancellationToken,
}

impl Remote {
    /// Begins to hand out what this client's backend has.
    pub async fn start(client: Client, options: Options) -> Result<Self, Error> {
        let backend = client.backend().clone();
        let keeper = LeaseKeeper::new(options.lease);
        let signals = backend.bus.subscribe();
        if let Some(books) = &backend.books {
            keeper.remember_all(&*books.ledger).await?;
        }
        let (gate, watcher) = Gate::open(&backend).await;
        let progress = ProgressKeeper::default();
        let tools = Tools {
            client: client.clone(),
            gate: gate.clone(),
            keeper: keeper.clone(),
            progress: progress.clone(),
        };
        let inner = Arc::new(Inner {
            posts: Posts::new(tools),
            claims: Claims::default(),
            callers: Callers::new(),
            carrying: Carrying::new(client.clone()),
            stop: CancellationToken::new(),
            client,
            options,
            gate,
        });
        let spawn = |task| AbortOnDropHandle::new(tokio::spawn(task));
        let tasks = vec![
            AbortOnDropHandle::new(tokio::spawn(watcher.run())),
            AbortOnDropHandle::new(tokio::spawn(progress.run(Arc::clone(&backend.store)))),
            AbortOnDropHandle::new(tokio::spawn(Arc::clone(&inner).hear(signals, keeper))),
            spawn(Arc::clone(&inner).keep()),
        ];
        Ok(Self { inner, _tasks: Arc::new(tasks) })
    }

    /// Takes up to so many jobs for a worker. Waits while there is none, and returns none then. A
    /// paused stage gives none. If the call is dropped, what was taken for it goes back, uncounted.
    pub async fn claim(&self, request: ClaimRequest) -> Result<Vec<Claim>, Error> {
        self.inner.claim(request).await
    }

    /// Makes claims last from now: for so long, or for as long as they were taken for. Answers
    /// stand in the claims' order. Idempotent.
    pub async fn extend(
        &self,
        claims: &[ClaimId],
        lease: Option<Duration>,
    ) -> Result<Vec<Extension>, Error> {
        self.inner.extend(claims, lease).await
    }

    /// The work is done. Durable when it returns. Idempotent: the same told twice is answered the
    /// same; something else told after the end is [`Error::Lost`].
    pub async fn complete(&self, claim: &ClaimId, completed: Completed) -> Result<Answer, Error> {
        self.end(claim, Told::Completed(completed)).await
    }

    /// The work failed: the stage's retry policy decides. Durable when it returns. Idempotent.
    pub async fn fail(&self, claim: &ClaimId, failed: Failed) -> Result<Answer, Error> {
        self.end(claim, Told::Failed(failed)).await
    }

    /// The worker cannot do it now: the job goes back, uncounted. Idempotent.
    pub async fn hand_back(&self, claim: &ClaimId) -> Result<Answer, Error> {
        self.end(claim, Told::HandedBack).await
    }

    /// How far the work is, from 0 to 100, and what it does now. Lossy.
    pub async fn progress(
        &self,
        claim: &ClaimId,
        percent: f64,
        message: &str,
    ) -> Result<(), Error> {
        self.inner.held(claim).await?.reporter.progress(percent, message);
        Ok(())
    }

    /// Lines for the job's log: to those who look on at once, and kept when the claim ends, as far
    /// as this server lives until then.
    pub async fn log(&self, claim: &ClaimId, lines: &[Line]) -> Result<(), Error> {
        let slot = self.inner.held(claim).await?;
        for line in lines {
            slot.reporter.log(line.level, &line.line);
        }
        Ok(())
    }

    /// Ends a claim. It is ended also when whoever told it does not wait for the answer.
    async fn end(&self, claim: &ClaimId, told: Told) -> Result<Answer, Error> {
        let (inner, claim) = (Arc::clone(&self.inner), claim.clone());
        let ending = tokio::spawn(async move { inner.end(&claim, told).await });
        ending.await.unwrap_or(Err(Error::Stopping))
    }

    /// How many claims are out at this server.
    pub fn claims_out(&self) -> usize {
        self.inner.claims.held()
    }

    /// Hands out nothing more, and gives back what only this process could take back: with a
    /// broker, all that is out. Elsewhere other servers take up the claims. May be called twice.
    pub async fn stop(&self) {
        self.inner.stop.cancel();
        self.inner.give_back().await;
        // What came of the claims is still to be written down.
        self.inner.carrying.finish().await;
    }
}
