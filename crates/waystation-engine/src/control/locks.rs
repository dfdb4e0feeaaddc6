//! Named locks in the store's records: held for a while, renewed while the work lasts, and fenced
//! by a token that no other holder has.
//!
//! A lock whose holder is gone is free when it expires; at once where it was a process of this
//! machine, which can be seen to be gone.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, MutexGuard};
use waystation_core::clock::Timestamp;
use waystation_core::port::{Error, Expected, Held, LOCKS, Put, Record};

use super::collection;
use super::process::Process;
use crate::backend::Backend;

/// How often a lock is renewed while it lasts.
const RENEWALS: u32 = 3;
/// The wait after the store failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The worker.
    pub worker_id: String,
    /// Its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<Process>,
    /// Since when.
    pub since: Timestamp,
}

/// A lock that is held. It is free again when it is released, or when it expires.
pub struct Lock {
    backend: Backend,
    name: String,
    holder: Holder,
    lasting: Duration,
    state: Mutex<State>,
}

struct State {
    held: Held,
    /// Until when this process may be sure of it.
    until: Instant,
}

/// Takes a lock, unless somebody else has it.
pub async fn take(
    backend: &Backend,
    name: &str,
    worker_id: &str,
    lasting: Duration,
) -> Result<Option<Lock>, Error> {
    let expected = match backend.records.record(LOCKS, name).await? {
        None => Expected::Absent,
        Some(record) if is_orphaned(&record) => Expected::Revision(record.revision),
        Some(_) => return Ok(None),
    };
    let now = backend.clock.now();
    let (worker_id, process) = (worker_id.to_owned(), Process::this());
    let holder = Holder { worker_id, process, since: now };
    let until = Instant::now() + lasting;
    let Put::Kept(token) = put(backend, name, &holder, lasting, expected).await? else {
        return Ok(None);
    };
    let held = Held { lock: name.to_owned(), token };
    let (backend, name) = (backend.clone(), name.to_owned());
    let state = Mutex::new(State { held, until });
    Ok(Some(Lock { backend, name, holder, lasting, state }))
}

/// Who has it.
pub async fn holder(backend: &Backend, name: &str) -> Result<Option<Holder>, Error> {
    let record = backend.records.record(LOCKS, name).await?;
    Ok(record.and_then(|record| collection::read(LOCKS, record)))
}

impl Lock {
    /// That it is held, for what is to be written under it. It is not renewed while the answer
    /// lives, so that its token holds.
    pub async fn held(&self) -> HeldNow<'_> {
        HeldNow(self.state.lock().await)
    }

    /// Renews it until it is lost. To be run beside the work, which is to end when this does.
    pub async fn keep(&self) {
        let mut wait = self.lasting / RENEWALS;
        loop {
            tokio::time::sleep(wait).await;
            wait = match self.renew().await {
                Ok(true) => self.lasting / RENEWALS,
                Ok(false) => return,
                Err(error) if self.is_over().await => {
                    tracing::warn!(lock = self.name, %error, "a lock is given up");
                    return;
                }
                Err(error) => {
                    tracing::warn!(lock = self.name, %error, "a lock was not renewed, trying on");
                    PAUSE.min(self.lasting / RENEWALS)
                }
            };
        }
    }

    /// Gives it back. Where that cannot be written, it expires.
    pub async fn release(self) {
        let held = self.state.into_inner().held;
        let expected = Expected::Revision(held.token);
        if let Err(error) = self.backend.records.remove_record(LOCKS, &held.lock, expected).await {
            tracing::warn!(lock = held.lock, %error, "a lock was not given back, it expires");
        }
    }

    /// Tells whether it is still held.
    async fn renew(&self) -> Result<bool, Error> {
        let mut state = self.state.lock().await;
        let until = Instant::now() + self.lasting;
        let expected = Expected::Revision(state.held.token);
        match put(&self.backend, &self.name, &self.holder, self.lasting, expected).await? {
            Put::Kept(token) => {
                (state.held.token, state.until) = (token, until);
                Ok(true)
            }
            Put::Conflict => Ok(false),
        }
    }

    async fn is_over(&self) -> bool {
        self.state.lock().await.until <= Instant::now()
    }
}

/// That a lock is held, as long as this lives or until it expires.
pub struct HeldNow<'a>(MutexGuard<'a, State>);

impl HeldNow<'_> {
    /// Which lock, and with which token.
    pub fn get(&self) -> Held {
        self.0.held.clone()
    }
}

async fn put(
    backend: &Backend,
    name: &str,
    holder: &Holder,
    lasting: Duration,
    expected: Expected,
) -> Result<Put, Error> {
    let value = collection::written(LOCKS, holder)?;
    let until = Some(backend.clock.now().plus(lasting));
    backend.records.put_record(LOCKS, name, &value, expected, until).await
}

/// Whether its holder can be seen to be gone.
fn is_orphaned(record: &Record) -> bool {
    let holder: Option<Holder> = collection::read(LOCKS, record.clone());
    holder.and_then(|holder| holder.process).is_some_and(|process| process.is_gone())
}
