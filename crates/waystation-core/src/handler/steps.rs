//! Memoised steps: what is done is not done again by a repeated attempt.

use std::collections::HashSet;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Context;
use crate::failure::{ErrorKind, Failure};
use crate::step::{NAME_BYTES_MAX, RESULT_BYTES_MAX, STEPS_MAX};

/// Keeps what the steps of one stage run gave, as JSON.
#[async_trait]
pub trait StepKeeper: Send + Sync {
    /// What is kept of the step of this name.
    async fn kept(&self, name: &str) -> Result<Option<Vec<u8>>, Failure>;

    /// Keeps what the step gave, unless another attempt was first. Gives what is kept from now
    /// on, which is durable by then.
    async fn keep(&self, name: &str, result: Vec<u8>) -> Result<Vec<u8>, Failure>;
}

/// The steps of one attempt.
pub struct Steps {
    keeper: Option<Box<dyn StepKeeper>>,
    /// The names that the attempt has used.
    named: Mutex<HashSet<String>>,
}

impl Steps {
    /// Steps whose results are kept here.
    pub fn new(keeper: impl StepKeeper + 'static) -> Self {
        Self { keeper: Some(Box::new(keeper)), named: Mutex::default() }
    }

    /// Steps of which nothing is kept: for handlers that are run by hand, as in tests.
    pub fn unkept() -> Self {
        Self { keeper: None, named: Mutex::default() }
    }

    /// Notes that the attempt comes to the step of this name.
    fn name(&self, name: &str) -> Result<(), Failure> {
        let wrong = |why: &str| {
            let name: String = name.escape_debug().take(NAME_BYTES_MAX).collect();
            Failure::new(ErrorKind::Permanent, format!("step `{name}` {why}"))
        };
        if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(wrong("needs a name of 1 to 200 bytes without control characters"));
        }
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.len() == STEPS_MAX {
            return Err(wrong("is one too many: an attempt has at most 10000 steps"));
        }
        if !named.insert(name.to_owned()) {
            let why = "comes twice in one attempt (hint: put what differs into the name)";
            return Err(wrong(why));
        }
        Ok(())
    }
}

impl Context {
    /// Does a piece of the work once: what it gives is durable before it is returned here, and a
    /// repeated attempt of the same stage run gets it without doing the work again.
    ///
    /// A step that fails is not kept. When two attempts do the same step at a time (the lease of
    /// the first was lost), the first result that is kept holds, and both get that one. Names are
    /// unique within an attempt; a loop that comes to the stage anew does its steps anew, a dead
    /// letter that is tried again does not.
    pub async fn step<T, F, Fut>(&self, name: &str, work: F) -> Result<T, Failure>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, Failure>>,
    {
        self.steps.name(name)?;
        let Some(keeper) = &self.steps.keeper else { return work().await };
        if let Some(kept) = keeper.kept(name).await? {
            return read(name, &kept);
        }
        let result = write(name, &work().await?)?;
        // What is given now is what a repeated attempt would be given.
        read(name, &keeper.keep(name, result).await?)
    }
}

fn write<T: Serialize>(name: &str, result: &T) -> Result<Vec<u8>, Failure> {
    let bytes = serde_json::to_vec(result).map_err(|error| {
        let message = format!("result of step `{name}` cannot be written as JSON: {error}");
        Failure::new(ErrorKind::Contract, message)
    })?;
    if bytes.len() > RESULT_BYTES_MAX {
        let message = format!(
            "result of step `{name}` is {} bytes, more than the {RESULT_BYTES_MAX} that are kept \
             (hint: put it into a blob and give the reference)",
            bytes.len()
        );
        return Err(Failure::new(ErrorKind::Contract, message));
    }
    Ok(bytes)
}

fn read<T: DeserializeOwned>(name: &str, result: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(result).map_err(|error| {
        let message = format!(
            "what is kept of step `{name}` cannot be read: {error} (hint: when its type has \
             changed, give the step another name)"
        );
        Failure::new(ErrorKind::Contract, message)
    })
}
