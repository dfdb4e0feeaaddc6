//! Sessions: a browser's cookie in place of a token.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{self, Expected, RecordPage};

use super::identity::Proof;
use super::{Access, Identity, Role, secret};

/// The cookie.
pub const SESSION_COOKIE: &str = "waystation_session";
/// How long a session lasts.
pub const SESSION_LASTS: Duration = Duration::from_hours(12);
/// Where sessions are kept: under the hashes of their secrets.
const SESSIONS: &str = "sessions";

/// What is kept of a session.
#[derive(Serialize, Deserialize)]
struct Session {
    name: String,
    role: Role,
}

/// Why no session began.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// There are no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] port::Error),
}

impl Access {
    /// Begins a session for whoever has this token; gives the cookie's value. `None` when nobody
    /// has it.
    pub async fn begin_session(&self, token: &str) -> Result<Option<String>, SessionError> {
        let Some(Identity { name, role, .. }) = self.bearer(token).await? else { return Ok(None) };
        let secret = secret::make().map_err(SessionError::Random)?;
        let until = Some(self.0.clock.now().plus(SESSION_LASTS));
        let (key, value) = (secret::hash(&secret), json!(Session { name, role }));
        self.0.records.put_record(SESSIONS, &key, &value, Expected::Any, until).await?;
        Ok(Some(secret))
    }

    /// Ends a session. It is no error when there is none.
    pub async fn end_session(&self, secret: &str) -> Result<(), port::Error> {
        let key = secret::hash(secret);
        self.0.records.remove_record(SESSIONS, &key, Expected::Any).await?;
        self.forget();
        Ok(())
    }

    /// Whose session this is.
    pub(super) async fn visitor(&self, secret: &str) -> Result<Option<Identity>, port::Error> {
        let key = secret::hash(secret);
        if let Some(known) = self.recall(&key) {
            return Ok(Some(known));
        }
        let Some(record) = self.0.records.record(SESSIONS, &key).await? else { return Ok(None) };
        let Ok(Session { name, role }) = serde_json::from_value(record.value) else {
            return Ok(None);
        };
        let identity = Identity { name, role, proof: Proof::Session };
        self.remember(&key, &identity);
        Ok(Some(identity))
    }

    pub(super) async fn end_sessions_of(&self, name: &str) -> Result<(), port::Error> {
        let mut after = None;
        loop {
            let page = RecordPage { after, limit: PAGE_MAX, ..RecordPage::default() };
            let records = self.0.records.records(SESSIONS, page).await?;
            let Some(last) = records.last().map(|record| record.key.clone()) else {
                return Ok(());
            };
            for record in records {
                let session = serde_json::from_value::<Session>(record.value);
                if session.is_ok_and(|session| session.name == name) {
                    self.0.records.remove_record(SESSIONS, &record.key, Expected::Any).await?;
                }
            }
            after = Some(last);
        }
    }
}
