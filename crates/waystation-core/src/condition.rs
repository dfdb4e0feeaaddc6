//! Conditions on routes and stages: expressions over a job's params that are true or false.

use cel::Value;

use crate::Params;
use crate::expression::{self, Expression};

pub use crate::expression::BYTES_MAX;

/// A compiled condition.
#[derive(Clone, Debug)]
pub struct Condition(Expression);

/// Why a text is not a condition, or why it cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is not CEL.
    #[error("`{source_text}` is not a condition: {message}")]
    Syntax {
        /// The text.
        source_text: String,
        /// What the parser said.
        message: String,
    },
    /// The text is too long.
    #[error("a condition of {bytes} bytes is longer than the {BYTES_MAX} allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// It could not be evaluated over these params.
    #[error("condition `{source_text}` has no answer: {message}")]
    Evaluation {
        /// The text.
        source_text: String,
        /// What went wrong.
        message: String,
    },
}

impl Condition {
    /// Compiles a condition.
    pub fn parse(source: &str) -> Result<Self, Error> {
        Expression::parse(source).map(Self).map_err(|error| match error {
            expression::Error::TooLong { bytes } => Error::TooLong { bytes },
            expression::Error::Syntax { message } => {
                Error::Syntax { source_text: source.to_owned(), message }
            }
        })
    }

    /// The text that it was compiled from.
    pub fn source(&self) -> &str {
        self.0.source()
    }

    /// The params that the condition reads, by their top-level names.
    pub fn variables(&self) -> Vec<String> {
        self.0.variables()
    }

    /// Whether it holds over these params. A param that is absent counts as null, so that
    /// `ok == true` can be asked before anybody answered.
    pub fn holds(&self, params: &Params) -> Result<bool, Error> {
        let failed = |message| Error::Evaluation { source_text: self.source().to_owned(), message };
        match self.0.value(params) {
            Ok(Value::Bool(answer)) => Ok(answer),
            Ok(other) => Err(failed(format!("it gives {other:?}, not true or false"))),
            Err(message) => Err(failed(message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_are_asked_of_the_params() {
        let params = json!({"ok": true, "score": 0.7, "count": 3, "page": {"words": ["a", "b"]}});
        let cases = [
            ("ok == true", true),
            ("ok == false", false),
            ("score > 0.5 && count >= 3", true),
            ("count == 3", true),
            ("'a' in page.words", true),
            ("size(page.words) == 3", false),
            ("absent == null", true),
            ("absent == true", false),
        ];
        for (source, expected) in cases {
            let condition = Condition::parse(source).expect(source);
            let answer = condition.holds(params.as_object().expect("an object"));
            assert_eq!(answer.expect(source), expected, "{source}");
        }
    }

    #[test]
    fn bad_conditions_name_themselves() {
        let error = Condition::parse("ok ==").expect_err("no CEL").to_string();
        assert!(error.starts_with("`ok ==` is not a condition"), "{error}");
        let condition = Condition::parse("1 + 1").expect("CEL");
        let error = condition.holds(&Params::new()).expect_err("a number").to_string();
        assert!(error.starts_with("condition `1 + 1` has no answer"), "{error}");
    }
}
