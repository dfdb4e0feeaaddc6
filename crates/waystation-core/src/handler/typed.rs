//! A handler made of a typed function.

use std::future::Future;
use std::marker::PhantomData;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Completion, Context, Handler, Signature};
use crate::Params;
use crate::failure::{ErrorKind, Failure};

/// A handler made of a typed async function: `serde` in, `serde` out.
///
/// The output must serialise to an object (or to null, for none). Params that the input does not
/// name are left out; a field `#[serde(flatten)] extras: Params` takes them all. A param that may
/// be absent has a default: `Option<T>`, or `#[serde(default)]`.
pub fn typed<F, Input, Output, Fut>(function: F) -> impl Handler + 'static
where
    F: Fn(Context, Input) -> Fut + Send + Sync + 'static,
    Input: DeserializeOwned + JsonSchema + Send + 'static,
    Output: Serialize + JsonSchema + Send + 'static,
    Fut: Future<Output = Result<Output, Failure>> + Send + 'static,
{
    Typed { function, signature: PhantomData }
}

struct Typed<F, Input, Output> {
    function: F,
    signature: PhantomData<fn(Input) -> Output>,
}

#[async_trait]
impl<F, Input, Output, Fut> Handler for Typed<F, Input, Output>
where
    F: Fn(Context, Input) -> Fut + Send + Sync,
    Input: DeserializeOwned + JsonSchema + Send,
    Output: Serialize + JsonSchema + Send,
    Fut: Future<Output = Result<Output, Failure>> + Send,
{
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let input = serde_json::from_value(Value::Object(params)).map_err(|error| {
            let message = error.to_string();
            let absent = message.starts_with("missing field");
            let kind = if absent { ErrorKind::MissingParam } else { ErrorKind::InvalidParam };
            Failure::new(kind, format!("params do not fit the stage's input: {message}"))
        })?;
        let output = (self.function)(context, input).await?;
        match serde_json::to_value(output) {
            Ok(Value::Object(output)) => Ok(Completion::ok(output)),
            Ok(Value::Null) => Ok(Completion::default()),
            Ok(other) => Err(Failure::new(
                ErrorKind::Contract,
                format!("a stage's output must be an object, not {other}"),
            )),
            Err(error) => Err(Failure::new(
                ErrorKind::Contract,
                format!("the stage's output cannot be written as JSON: {error}"),
            )),
        }
    }
    fn signature(&self) -> Signature {
        Signature::of::<Input, Output>()
    }
}
