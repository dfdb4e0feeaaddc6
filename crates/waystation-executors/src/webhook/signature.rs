//! Whether a call was signed by somebody who knows the secret.
//!
//! Signatures are compared by `hmac` in a time that does not depend on where they differ. The forms
//! with a time in them are good for a while only: whoever heard a call cannot bring it again later.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use waystation_core::clock::Timestamp;
use waystation_core::hook::{Call, Refusal};

use crate::settings::Seconds;

/// How far a signed time may lie from ours unless it is said.
const TOLERANCE: Duration = Duration::from_mins(5);
/// The most signatures of a call that are looked at: a service sends one a secret.
const SIGNATURES_MAX: usize = 10;
/// What begins a secret of Standard Webhooks: base64 follows.
const SECRET_PREFIX: &str = "whsec_";

/// How calls are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// Over the body, as GitHub does: hexadecimal, after `sha256=` or not, or base64.
    #[default]
    Body,
    /// Over id, time and body, as Standard Webhooks has it.
    Standard,
    /// Over time and body, as Stripe does.
    Stripe,
}

/// What a call's signature must be.
pub struct Signature {
    form: Form,
    header: String,
    tolerance: Duration,
    keys: Vec<Hmac<Sha256>>,
}

/// What a call says of itself: what was signed beside the body, when, and the signatures.
struct Claim {
    prefix: String,
    at: Option<Timestamp>,
    signatures: Vec<Vec<u8>>,
}

impl Signature {
    /// Signatures of this form with one of these secrets.
    pub fn new(
        secrets: &[String],
        form: Form,
        header: Option<String>,
        tolerance: Option<Seconds>,
    ) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        if header.is_some() && form == Form::Standard {
            let why = "setting `signature_header`: the header of `standard` is `webhook-signature`";
            problems.push(why.to_owned());
        }
        if tolerance.is_some() && form == Form::Body {
            let why = "setting `tolerance_seconds`: there is no time in signatures of `body`";
            problems.push(why.to_owned());
        }
        let keys: Option<Vec<_>> = secrets.iter().map(|secret| key(secret, form)).collect();
        if keys.is_none() {
            let why = format!("setting `secret`: base64 must follow `{SECRET_PREFIX}`");
            problems.push(why);
        }
        let usual = match form {
            Form::Body => "X-Hub-Signature-256",
            Form::Standard => "webhook-signature",
            Form::Stripe => "Stripe-Signature",
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            form,
            header: header.unwrap_or_else(|| usual.to_owned()),
            tolerance: tolerance.map_or(TOLERANCE, Duration::from),
            keys: keys.unwrap_or_default(),
        })
    }

    /// Whether one of a call's signatures is good, and lately made.
    pub fn verify(&self, call: &Call<'_>) -> Result<(), Refusal> {
        let Some(value) = call.header(&self.header) else {
            return Err(unproven(format!("there is no signature in `{}`", self.header)));
        };
        let claim = match self.form {
            Form::Body => of_body(value),
            Form::Standard => of_standard(call, value)?,
            Form::Stripe => of_stripe(value),
        };
        if !self.keys.iter().any(|key| claim.is_made_with(key, call.body)) {
            return Err(unproven(format!("no signature in `{}` is this call's", self.header)));
        }
        match (self.form, claim.at) {
            (Form::Body, _) => Ok(()),
            (_, Some(at)) => self.check_time(at, call.at),
            (_, None) => Err(unproven("the signature has no time that can be read".to_owned())),
        }
    }

    fn check_time(&self, at: Timestamp, now: Timestamp) -> Result<(), Refusal> {
        let apart = now.since(at).max(at.since(now));
        if apart <= self.tolerance {
            return Ok(());
        }
        Err(unproven(format!(
            "the call was signed {} s from our time, more than the {} s allowed (hint: look at the \
             clocks)",
            apart.as_secs(),
            self.tolerance.as_secs_f64()
        )))
    }
}

impl Claim {
    fn is_made_with(&self, key: &Hmac<Sha256>, body: &[u8]) -> bool {
        let made = key.clone().chain_update(&self.prefix).chain_update(body);
        let mut signatures = self.signatures.iter().take(SIGNATURES_MAX);
        signatures.any(|signature| made.clone().verify_slice(signature).is_ok())
    }
}

fn unproven(why: String) -> Refusal {
    Refusal::Unproven(why)
}

/// A key of any length is one.
fn key(secret: &str, form: Form) -> Option<Hmac<Sha256>> {
    let bytes = match secret.strip_prefix(SECRET_PREFIX) {
        Some(encoded) if form == Form::Standard => BASE64.decode(encoded).ok()?,
        _ => secret.as_bytes().to_vec(),
    };
    // With an empty one anybody signs.
    (!bytes.is_empty()).then(|| Hmac::new_from_slice(&bytes).ok())?
}

fn of_body(value: &str) -> Claim {
    let value = value.trim();
    let plain = value.strip_prefix("sha256=").unwrap_or(value);
    let signature = hex::decode(plain).ok().or_else(|| BASE64.decode(plain).ok());
    Claim { prefix: String::new(), at: None, signatures: signature.into_iter().collect() }
}

/// `v1,BASE64 v1,BASE64`, over `ID.TIME.BODY`.
fn of_standard(call: &Call<'_>, value: &str) -> Result<Claim, Refusal> {
    let header = |name: &str| {
        let found = call.header(name);
        found.ok_or_else(|| unproven(format!("there is no header `{name}`")))
    };
    let (id, time) = (header("webhook-id")?, header("webhook-timestamp")?);
    let signatures = value.split(' ').filter_map(|one| one.strip_prefix("v1,"));
    Ok(Claim {
        prefix: format!("{id}.{time}."),
        at: seconds(time),
        signatures: signatures.filter_map(|one| BASE64.decode(one).ok()).collect(),
    })
}

/// `t=TIME,v1=HEX,v1=HEX`, over `TIME.BODY`.
fn of_stripe(value: &str) -> Claim {
    let pairs = value.split(',').filter_map(|pair| pair.trim().split_once('='));
    let of = |name: &'static str| {
        pairs.clone().filter(move |(own, _)| *own == name).map(|(_, value)| value)
    };
    let time = of("t").next().unwrap_or_default();
    Claim {
        prefix: format!("{time}."),
        at: seconds(time),
        signatures: of("v1").filter_map(|one| hex::decode(one).ok()).collect(),
    }
}

/// Seconds since 1970.
fn seconds(text: &str) -> Option<Timestamp> {
    text.parse::<i64>().ok()?.checked_mul(1_000).map(Timestamp)
}

#[cfg(test)]
mod tests;
