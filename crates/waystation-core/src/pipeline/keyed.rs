//! Stages that take the jobs of one key one at a time, in the order that they came.

use std::num::NonZeroU32;

use cel::Value;

use crate::Params;
use crate::expression::Expression;
use crate::key::{self, Key};
use crate::port::RECEIVE_MAX;

/// How many jobs of one key a worker takes at once, unless the stage says another number.
pub const TOGETHER: usize = 32;
/// The most that it may take.
pub const TOGETHER_MAX: usize = RECEIVE_MAX;

/// By what a stage tells jobs apart, and what becomes of a key while its first job is tried again.
#[derive(Clone, Debug)]
pub struct Keyed {
    /// Gives the key over a job's params.
    pub by: Expression,
    /// What a job does to its key while it waits for its next attempt.
    pub on_failure: OnKeyFailure,
    /// How many partitions its queue has where the broker keeps the order of keys by such.
    pub partitions: NonZeroU32,
    /// How many jobs of one key a worker takes at once, to run them one after the other.
    pub together: usize,
}

/// How many partitions a queue has unless its stage says otherwise.
const PARTITIONS: NonZeroU32 = NonZeroU32::new(8).unwrap();

/// What a job does to its key while it waits for its next attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnKeyFailure {
    /// All that came behind it waits with it.
    #[default]
    Block,
    /// It steps aside, and is tried again behind what is there by then.
    Skip,
}

/// Why a job has no key at a stage.
#[derive(Debug, thiserror::Error)]
pub enum NoKey {
    /// The expression could not be evaluated over its params.
    #[error("key `{by}` cannot be told: {message}")]
    Evaluation {
        /// The expression.
        by: String,
        /// What went wrong.
        message: String,
    },
    /// It gives what is no key.
    #[error("key `{by}` gives {value}, and must give a text, a whole number or a boolean")]
    Kind {
        /// The expression.
        by: String,
        /// What it gives.
        value: String,
    },
    /// It gives a text that is none.
    #[error("key `{by}`: {error}")]
    Text {
        /// The expression.
        by: String,
        /// Why.
        error: key::Error,
    },
}

/// The longest value that an error shows, in characters.
const SHOWN_MAX: usize = 80;

impl Keyed {
    /// By an expression, and blocked by what fails.
    pub fn by(by: Expression) -> Self {
        Self { by, on_failure: OnKeyFailure::Block, partitions: PARTITIONS, together: TOGETHER }
    }

    /// The key of a job with these params. Null is none: what has no key has no order, and a param
    /// that is missing must not be taken for that.
    pub fn key_of(&self, params: &Params) -> Result<Key, NoKey> {
        use serde_json::Value as Json;
        let by = || self.by.source().to_owned();
        let plain = match self.by.named(params) {
            Some(Json::String(text)) => Some(Key::new(text)),
            Some(Json::Number(number)) if !number.is_f64() => Some(Key::new(&number.to_string())),
            Some(Json::Bool(value)) => Some(Key::new(if *value { "true" } else { "false" })),
            _ => None,
        };
        if let Some(key) = plain {
            return key.map_err(|error| NoKey::Text { by: by(), error });
        }
        let value = self.by.value(params);
        let text = match value.map_err(|message| NoKey::Evaluation { by: by(), message })? {
            Value::String(text) => text.to_string(),
            Value::Int(number) => number.to_string(),
            Value::UInt(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            other => {
                let value = format!("{other:?}").chars().take(SHOWN_MAX).collect();
                return Err(NoKey::Kind { by: by(), value });
            }
        };
        Key::new(&text).map_err(|error| NoKey::Text { by: by(), error })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_texts_whole_numbers_and_booleans() {
        let params = json!({
            "kind": "ip", "id": "10.0.0.1", "count": 3, "ok": true, "host": {"name": "a"},
            "long": "k".repeat(300), "ratio": 0.5, "list": [1]
        });
        let check = |by: &str, expected: &str| {
            let keyed = Keyed::by(Expression::parse(by).expect(by));
            let got = keyed.key_of(params.as_object().expect("an object"));
            let got = got.map_or_else(|error| error.to_string(), |key| key.to_string());
            assert_eq!(got, expected, "{by}");
        };
        check("id", "10.0.0.1");
        check("kind + ':' + id", "ip:10.0.0.1");
        check("host.name", "a");
        check("count", "3");
        check("ok", "true");
        let must = "and must give a text, a whole number or a boolean";
        check("absent", &format!("key `absent` gives Null, {must}"));
        check("ratio", &format!("key `ratio` gives Float(0.5), {must}"));
        check("long", "key `long`: a key of 300 bytes is longer than the 255 allowed");
        check("host.other", "key `host.other` cannot be told: No such key: other");
    }
}
