//! Checks of one param before a service sees it.

use std::future::Future;

use async_trait::async_trait;
use serde_json::Value;

use crate::failure::{ErrorKind, Failure};

/// Checks one param of a job. What it refuses is not tried again, unless it says that the failure
/// may pass ([`Failure::transient`]).
#[async_trait]
pub trait Validator: Send + Sync {
    /// Refuses the value, or lets it pass.
    async fn validate(&self, value: &Value) -> Result<(), Failure>;
}

/// Present, not null, not an empty text: mda-common's default validator. Blanks are a text.
pub fn required() -> impl Validator + 'static {
    check(|value| {
        let why = match value {
            Value::Null => "is null",
            Value::String(text) if text.is_empty() => "is an empty text",
            _ => return Ok(()),
        };
        Err(Failure::new(ErrorKind::MissingParam, why))
    })
}

/// A validator made of a function.
pub fn check<F>(function: F) -> impl Validator + 'static
where
    F: Fn(&Value) -> Result<(), Failure> + Send + Sync + 'static,
{
    Check(function)
}

/// A validator made of an async function, which may look something up.
pub fn check_async<F, Fut>(function: F) -> impl Validator + 'static
where
    F: Fn(Value) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Failure>> + Send + 'static,
{
    CheckAsync(function)
}

struct Check<F>(F);

#[async_trait]
impl<F> Validator for Check<F>
where
    F: Fn(&Value) -> Result<(), Failure> + Send + Sync,
{
    async fn validate(&self, value: &Value) -> Result<(), Failure> {
        (self.0)(value)
    }
}

struct CheckAsync<F>(F);

#[async_trait]
impl<F, Fut> Validator for CheckAsync<F>
where
    F: Fn(Value) -> Fut + Send + Sync,
    Fut: Future<Output = Result<(), Failure>> + Send,
{
    async fn validate(&self, value: &Value) -> Result<(), Failure> {
        (self.0)(value.clone()).await
    }
}
