//! `webhook`: makes jobs of what somebody sends to a server of ours, as services do that tell
//! others what happened.
//!
//! The server takes calls and asks [`Hook`] what they must prove and what they bring. A call that
//! comes twice has the same ids twice, so that it makes its jobs once.

mod items;
mod signature;

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use waystation_core::Params;
use waystation_core::hook::{Call, Hook, Refusal};
use waystation_core::pipeline::Executor;
use waystation_core::source::Item;

use self::items::{Identity, Shape};
use self::signature::{Form, Signature};
use crate::settings::{self, Seconds, Texts};

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What calls are signed with, as `${NAME}`; several while one takes the place of another.
    /// Without one, calls bring an operator's token.
    secret: Option<Texts>,
    /// How calls are signed: `body` by an HMAC-SHA256 over the body, as GitHub does; `standard` as
    /// Standard Webhooks has it; `stripe` as Stripe does. `body` unless said.
    signature: Option<Form>,
    /// The header that has the signature of `body` (`X-Hub-Signature-256` unless said) or `stripe`
    /// (`Stripe-Signature`).
    #[schemars(extend("format" = "header"))]
    signature_header: Option<String>,
    /// How far the time that `standard` and `stripe` sign may lie from ours; 300 unless said.
    tolerance_seconds: Option<Seconds>,
    /// The header that has a call's id. Unless this or `id` is said: `webhook-id`,
    /// `X-GitHub-Delivery` or `Idempotency-Key`, the first that there is. The same id becomes one
    /// job only; a call without one is another job each time.
    #[schemars(extend("format" = "header"))]
    id_header: Option<String>,
    /// Where the id is in the body, or in each entry of its list: a JSON pointer.
    #[schemars(extend("format" = "json-pointer"))]
    id: Option<String>,
    /// The param that holds the body. Unless said, the body's fields are the params.
    #[schemars(length(min = 1))]
    under: Option<String>,
    /// Params that are taken from headers, where a call has them: `{ event: X-GitHub-Event }`.
    #[serde(default)]
    header_params: BTreeMap<String, String>,
    /// The largest body that is taken, in bytes; the server's own limit holds as well.
    #[serde(default = "bytes")]
    #[schemars(range(min = 1))]
    max_bytes: usize,
}

fn bytes() -> usize {
    1024 * 1024
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: Settings = settings::read(params)?;
    let mut problems = Vec::new();
    let identity = match (settings.id, settings.id_header) {
        (Some(_), Some(_)) => {
            problems.push("settings `id` and `id_header` say the same: leave one out".to_owned());
            Identity::Usual
        }
        (Some(pointer), None) => Identity::Pointer(pointer),
        (None, Some(header)) => Identity::Header(header),
        (None, None) => Identity::Usual,
    };
    let signature = signed(
        settings.secret,
        settings.signature,
        settings.signature_header,
        settings.tolerance_seconds,
    );
    let signature = signature.unwrap_or_else(|found| {
        problems.extend(found);
        None
    });
    if !problems.is_empty() {
        return Err(problems);
    }
    let shape = Shape { identity, under: settings.under, header_params: settings.header_params };
    let bytes_max = settings.max_bytes;
    Ok(Executor::Hook(Arc::new(Webhook { signature, shape, bytes_max })))
}

/// What says how calls are signed means something only with what they are signed with.
fn signed(
    secret: Option<Texts>,
    form: Option<Form>,
    header: Option<String>,
    tolerance: Option<Seconds>,
) -> Result<Option<Signature>, Vec<String>> {
    let Some(Texts(secrets)) = secret else {
        let said = [
            (form.is_some(), "signature"),
            (header.is_some(), "signature_header"),
            (tolerance.is_some(), "tolerance_seconds"),
        ];
        let said = said.into_iter().filter(|(is_said, _)| *is_said);
        let problems: Vec<_> = said
            .map(|(_, name)| {
                format!("setting `{name}` says nothing without a `secret`: nothing is signed")
            })
            .collect();
        return if problems.is_empty() { Ok(None) } else { Err(problems) };
    };
    if secrets.is_empty() {
        return Err(vec!["setting `secret`: an empty list signs nothing".to_owned()]);
    }
    Signature::new(&secrets, form.unwrap_or_default(), header, tolerance).map(Some)
}

struct Webhook {
    signature: Option<Signature>,
    shape: Shape,
    bytes_max: usize,
}

impl Hook for Webhook {
    fn is_signed(&self) -> bool {
        self.signature.is_some()
    }

    fn body_bytes_max(&self) -> usize {
        self.bytes_max
    }

    fn verify(&self, call: &Call<'_>) -> Result<(), Refusal> {
        match &self.signature {
            Some(signature) => signature.verify(call),
            None => Ok(()),
        }
    }

    fn items(&self, call: &Call<'_>) -> Result<Vec<Item>, Refusal> {
        self.shape.items(call)
    }
}
