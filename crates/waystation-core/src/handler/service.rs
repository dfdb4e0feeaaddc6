//! A stage as its author writes it: what it needs, what it gives, and the work.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Completion, Context, Handler, Signature, Validator};
use crate::Params;
use crate::failure::{ErrorKind, Failure};

/// A stage: what it needs, what it gives, and the work. Retries, routes, events and forwarding
/// are the engine's. The shape is that of mda-common's `BaseWorker`, and so are its rules: every
/// required param is validated before the work, and the returned keys are those declared.
#[async_trait]
pub trait Service: Send + Sync {
    /// The stage's name.
    fn stage_name(&self) -> &str;

    /// The params that must be there, each with its check. [`required`](super::required) is the
    /// usual one; one that refuses ends the job before [`Self::process`] is called.
    fn required_params(&self) -> Vec<(&'static str, Box<dyn Validator>)> {
        Vec::new()
    }

    /// Exactly the keys that [`Self::process`] returns. More or fewer is a failure of kind
    /// `contract`, which is not tried again.
    fn output_params(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Does the work. `params` are all that the job has; those that are not required may be
    /// absent.
    async fn process(&self, context: Context, params: Params) -> Result<Params, Failure>;
}

/// The handler of a service.
pub fn service(service: impl Service + 'static) -> impl Handler + 'static {
    let required = service.required_params();
    let outputs = service.output_params().into_iter().map(str::to_owned).collect();
    Serving { service, required, outputs }
}

struct Serving<S> {
    service: S,
    required: Vec<(&'static str, Box<dyn Validator>)>,
    outputs: Vec<String>,
}

#[async_trait]
impl<S: Service> Handler for Serving<S> {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        for (name, validator) in &self.required {
            self.validate(name, validator.as_ref(), params.get(*name)).await?;
        }
        self.service.process(context, params).await.map(Completion::ok)
    }

    fn signature(&self) -> Signature {
        let required: Vec<_> = self.required.iter().map(|(name, _)| *name).collect();
        Signature {
            outputs: Some(self.outputs.clone()),
            input: Some(json!({ "type": "object", "required": required })),
            output: None,
        }
    }
}

impl<S: Service> Serving<S> {
    async fn validate(
        &self,
        name: &str,
        validator: &dyn Validator,
        value: Option<&Value>,
    ) -> Result<(), Failure> {
        let stage = self.service.stage_name();
        let Some(value) = value else {
            let message = format!("stage `{stage}` requires params: `{name}` is absent");
            return Err(Failure::new(ErrorKind::MissingParam, message));
        };
        validator.validate(value).await.map_err(|mut failure| {
            failure.message = format!("param `{name}` of stage `{stage}` {}", failure.message);
            failure
        })
    }
}
