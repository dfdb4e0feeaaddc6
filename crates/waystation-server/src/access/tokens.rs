//! Tokens: what programs bring with each request, and people once to begin a session.

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;
use waystation_core::clock::Timestamp;
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{self, Expected, Put, RecordPage};

use super::identity::Proof;
use super::{Access, Identity, Role, secret};

/// Where tokens are kept: under the hashes of their secrets.
const TOKENS: &str = "tokens";
/// Where it is marked that there was a token, which stays when the last one expires: a server does
/// not become open by itself.
const MARKS: &str = "access";
/// The mark.
const GUARDED: &str = "guarded";
/// What every token begins with, so that whoever finds one knows what it opens.
const PREFIX: &str = "wst_";
/// The longest name of a token.
const NAME_BYTES_MAX: usize = 100;

/// A token, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Whose it is. Unique.
    pub name: String,
    /// What it is good for.
    pub role: Role,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: String,
    /// Until when it is good, if not for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<String>,
}

/// A token as it is shown once, to whoever made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// What is known of it.
    #[serde(flatten)]
    pub token: Token,
    /// The token itself. It cannot be shown again.
    pub secret: String,
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The name is taken.
    #[error("there is a token named {0} already (hint: remove it first, or take another name)")]
    Taken(String),
    /// The name is none.
    #[error("a token's name has 1 to {NAME_BYTES_MAX} bytes and no control characters")]
    Name,
    /// There are no random bytes.
    #[error("the system gives no random bytes: {0}")]
    Random(getrandom::Error),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] port::Error),
}

impl Access {
    /// Makes a token.
    pub async fn add_token(
        &self,
        name: &str,
        role: Role,
        expires_at: Option<Timestamp>,
    ) -> Result<NewToken, TokenError> {
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(TokenError::Name);
        }
        if self.find_token(name).await?.is_some() {
            return Err(TokenError::Taken(name.to_owned()));
        }
        let random = secret::make().map_err(TokenError::Random)?;
        let secret = format!("{PREFIX}{random}");
        let now = self.0.clock.now();
        let token = Token {
            name: name.to_owned(),
            role,
            created_at: now.to_string(),
            expires_at: expires_at.map(|moment| moment.to_string()),
        };
        let (key, value) = (secret::hash(&secret), json!(token));
        self.0.records.put_record(MARKS, GUARDED, &json!({}), Expected::Any, None).await?;
        let put = self.0.records.put_record(TOKENS, &key, &value, Expected::Absent, expires_at);
        if put.await? == Put::Conflict {
            return Err(TokenError::Taken(name.to_owned()));
        }
        self.forget();
        Ok(NewToken { token, secret })
    }

    /// The tokens, by name.
    pub async fn tokens(&self) -> Result<Vec<Token>, port::Error> {
        let mut tokens: Vec<Token> =
            self.all_tokens().await?.into_iter().map(|(_, token)| token).collect();
        tokens.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(tokens)
    }

    /// Takes a token back. Tells whether there was one. Who has a session with it loses that, too.
    /// With the last one the server is open again.
    pub async fn remove_token(&self, name: &str) -> Result<bool, port::Error> {
        let Some(key) = self.find_token(name).await? else { return Ok(false) };
        self.end_sessions_of(name).await?;
        let removed = self.0.records.remove_record(TOKENS, &key, Expected::Any).await?;
        if self.all_tokens().await?.is_empty() {
            self.0.records.remove_record(MARKS, GUARDED, Expected::Any).await?;
        }
        self.forget();
        Ok(removed)
    }

    pub(super) async fn has_tokens(&self) -> Result<bool, port::Error> {
        if self.0.records.record(MARKS, GUARDED).await?.is_some() {
            return Ok(true);
        }
        let page = RecordPage { limit: 1, ..RecordPage::default() };
        Ok(!self.0.records.records(TOKENS, page).await?.is_empty())
    }

    /// Whose this token is.
    pub(super) async fn bearer(&self, token: &str) -> Result<Option<Identity>, port::Error> {
        let key = secret::hash(token);
        if let Some(known) = self.recall(&key) {
            return Ok(Some(known));
        }
        let Some(record) = self.0.records.record(TOKENS, &key).await? else { return Ok(None) };
        let Ok(Token { name, role, .. }) = serde_json::from_value(record.value) else {
            return Ok(None);
        };
        let identity = Identity { name, role, proof: Proof::Token };
        self.remember(&key, &identity);
        Ok(Some(identity))
    }

    async fn find_token(&self, name: &str) -> Result<Option<String>, port::Error> {
        let all = self.all_tokens().await?;
        Ok(all.into_iter().find(|(_, token)| token.name == name).map(|(key, _)| key))
    }

    /// The tokens with their keys.
    async fn all_tokens(&self) -> Result<Vec<(String, Token)>, port::Error> {
        let page = RecordPage { limit: PAGE_MAX, ..RecordPage::default() };
        let records = self.0.records.records(TOKENS, page).await?;
        let read =
            |record: port::Record| Some((record.key, serde_json::from_value(record.value).ok()?));
        Ok(records.into_iter().filter_map(read).collect())
    }
}
