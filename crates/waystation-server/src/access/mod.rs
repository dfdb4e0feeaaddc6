//! Who may do what.
//!
//! A server is *open* while there are no tokens: whoever reaches it is admin, so that it listens on
//! this machine alone. It is *guarded* once there is one: every request brings a token, or the
//! cookie of a session that began with one. In both, what another site's page asks in somebody's
//! name is refused: see [`origin`].

mod guard;
mod identity;
mod login;
mod origin;
mod secret;
mod sessions;
mod tokens;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use waystation_core::clock::Clock;
use waystation_core::port::{self, Records};

pub use guard::{Admin, Operator, Viewer, Watcher, cookie, guard};
pub use identity::{Identity, Proof, Role};
pub use login::LoginError;
pub use secret::hash;
pub use sessions::SessionError;
pub use sessions::{SESSION_COOKIE, SESSION_LASTS};
pub use tokens::{NewToken, Token, TokenError};

/// How long it is remembered who somebody is, and whether there are tokens. A token that was taken
/// back is good for no longer than this.
const REMEMBERED: Duration = Duration::from_secs(5);
/// The most that are remembered.
const REMEMBERED_MAX: usize = 1_000;

/// Finds out who asks. Clones share what they know.
#[derive(Clone)]
pub struct Access(Arc<Shared>);

struct Shared {
    records: Arc<dyn Records>,
    clock: Arc<dyn Clock>,
    /// Who was found behind the hash of a secret.
    met: Mutex<HashMap<String, (Identity, Instant)>>,
    /// Whether there are tokens, and until when that is taken for true.
    guarded: Mutex<Option<(bool, Instant)>>,
    /// The logins that failed.
    failures: Mutex<login::Failures>,
}

impl Access {
    /// Access by the tokens in these records.
    pub fn new(records: Arc<dyn Records>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared {
            records,
            clock,
            met: Mutex::default(),
            guarded: Mutex::default(),
            failures: Mutex::default(),
        }))
    }

    /// Whether there are tokens, so that every request must bring one.
    pub async fn is_guarded(&self) -> Result<bool, port::Error> {
        let known = *self.0.guarded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((guarded, _)) = known.filter(|(_, until)| Instant::now() < *until) {
            return Ok(guarded);
        }
        let guarded = self.has_tokens().await?;
        self.note_guarded(guarded);
        Ok(guarded)
    }

    fn note_guarded(&self, guarded: bool) {
        let known = Some((guarded, Instant::now() + REMEMBERED));
        *self.0.guarded.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    fn failures(&self) -> MutexGuard<'_, login::Failures> {
        self.0.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, hash: &str, identity: &Identity) {
        let mut met = self.0.met.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if met.len() >= REMEMBERED_MAX {
            met.retain(|_, (_, until)| now < *until);
        }
        if met.len() < REMEMBERED_MAX {
            met.insert(hash.to_owned(), (identity.clone(), now + REMEMBERED));
        }
    }

    fn recall(&self, hash: &str) -> Option<Identity> {
        let met = self.0.met.lock().unwrap_or_else(PoisonError::into_inner);
        let (identity, until) = met.get(hash)?;
        (Instant::now() < *until).then(|| identity.clone())
    }

    /// Forgets who is behind any secret, and whether there are tokens.
    fn forget(&self) {
        self.0.met.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.0.guarded.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
