//! Code behind a source stage that never looks: its items are brought to it by calls, as a service
//! makes them that tells others what happened (a webhook).
//!
//! Whoever takes calls is the server; what a call must prove and what items it brings is decided
//! here, purely, so that a hook needs no worker and no network of its own.

use crate::clock::Timestamp;
use crate::source::Item;

/// The most items that one call brings: they are committed together.
pub const ITEMS_MAX: usize = crate::source::BATCH_MAX;

/// One call, as it came.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// Its headers: names, and values that are texts.
    pub headers: &'a [(&'a str, &'a str)],
    /// Its body, byte by byte as it was sent: that is what signatures are over.
    pub body: &'a [u8],
    /// When it came.
    pub at: Timestamp,
}

impl<'a> Call<'a> {
    /// The first header of this name, in capitals or not.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value)
    }
}

/// Why a call is not taken. Messages name no secret, nor what a good signature would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not prove that it comes from who knows the secret.
    #[error("{0}")]
    Unproven(String),
    /// Its body cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// Its body can be read, and is nothing that a job can be made of.
    #[error("{0}")]
    Misfit(String),
    /// There is more in it than is taken.
    #[error("{0}")]
    TooLarge(String),
}

/// Code behind a source stage whose items are brought.
pub trait Hook: Send + Sync {
    /// Whether calls prove by a signature where they come from. Where they do not, whoever takes
    /// them asks for another proof.
    fn is_signed(&self) -> bool;

    /// The largest body that is taken, in bytes.
    fn body_bytes_max(&self) -> usize;

    /// Holds a call against the signature that it must have. A hook that is not signed takes all.
    fn verify(&self, call: &Call<'_>) -> Result<(), Refusal>;

    /// The items of a call, at most [`ITEMS_MAX`]. The same call brought again has the same ids.
    fn items(&self, call: &Call<'_>) -> Result<Vec<Item>, Refusal>;
}
