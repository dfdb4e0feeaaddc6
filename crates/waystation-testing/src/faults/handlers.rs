//! Handlers that misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use tokio::sync::Semaphore;
use waystation_core::Params;
use waystation_core::failure::Failure;
use waystation_core::handler::{Completion, Context, Handler};

/// Panics at every attempt, with this message.
#[derive(Clone, Debug)]
pub struct Panics(pub &'static str);

#[async_trait]
impl Handler for Panics {
    async fn run(&self, _: Context, _: Params) -> Result<Completion, Failure> {
        panic!("{}", self.0);
    }
}

/// Never returns, cancelled or not. Dropping it is the only way to be rid of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct NeverReturns;

#[async_trait]
impl Handler for NeverReturns {
    async fn run(&self, _: Context, _: Params) -> Result<Completion, Failure> {
        std::future::pending().await
    }
}

/// Does not look at its cancellation: it completes, late, when the test releases it.
#[derive(Clone, Debug)]
pub struct IgnoresCancellation {
    began: Arc<Semaphore>,
    released: Arc<Semaphore>,
}

/// Lets the attempts of an [`IgnoresCancellation`] complete.
#[derive(Clone, Debug)]
pub struct Release {
    began: Arc<Semaphore>,
    released: Arc<Semaphore>,
}

impl IgnoresCancellation {
    /// A handler, and what releases its attempts.
    pub fn new() -> (Self, Release) {
        let began = Arc::new(Semaphore::new(0));
        let released = Arc::new(Semaphore::new(0));
        let release = Release { began: began.clone(), released: released.clone() };
        (Self { began, released }, release)
    }
}

impl Release {
    /// Returns when an attempt has begun; each attempt is told once.
    pub async fn attempt_began(&self) {
        take(&self.began).await;
    }

    /// Lets one attempt complete.
    pub fn one(&self) {
        self.released.add_permits(1);
    }
}

#[async_trait]
impl Handler for IgnoresCancellation {
    async fn run(&self, _: Context, _: Params) -> Result<Completion, Failure> {
        self.began.add_permits(1);
        take(&self.released).await;
        Ok(Completion::default())
    }
}

async fn take(permits: &Semaphore) {
    let permit = permits.acquire().await.expect("it is never closed");
    permit.forget();
}

/// Completes with what its stage may not have promised.
#[derive(Clone, Debug)]
pub struct WrongOutput(pub Completion);

#[async_trait]
impl Handler for WrongOutput {
    async fn run(&self, _: Context, _: Params) -> Result<Completion, Failure> {
        Ok(self.0.clone())
    }
}

/// Fails at its first attempts, over all jobs, and completes from then on.
#[derive(Debug)]
pub struct FailsAtFirst {
    left: AtomicU32,
    failure: Failure,
}

impl FailsAtFirst {
    /// Fails this often, in this way.
    pub fn new(times: u32, failure: Failure) -> Self {
        Self { left: AtomicU32::new(times), failure }
    }
}

#[async_trait]
impl Handler for FailsAtFirst {
    async fn run(&self, _: Context, _: Params) -> Result<Completion, Failure> {
        let one_less = |left: u32| left.checked_sub(1);
        let order = Ordering::SeqCst;
        match self.left.fetch_update(order, order, one_less) {
            Ok(_) => Err(self.failure.clone()),
            Err(_) => Ok(Completion::default()),
        }
    }
}
