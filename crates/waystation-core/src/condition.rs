//! Conditions on routes: CEL expressions over a job's params.

use std::fmt;
use std::sync::Arc;

use cel::{Context, Program, Value};

use crate::Params;

/// The longest condition, in bytes. The parser and the interpreter recurse: without a limit a
/// chain of two thousand operators would overflow the stack of the thread that asks.
pub const BYTES_MAX: usize = 1_000;

/// A compiled condition.
#[derive(Clone)]
pub struct Condition {
    source: Arc<str>,
    program: Arc<Program>,
}

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
        if source.len() > BYTES_MAX {
            return Err(Error::TooLong { bytes: source.len() });
        }
        let program = Program::compile(source).map_err(|error| Error::Syntax {
            source_text: source.to_owned(),
            message: one_line(&error.to_string()),
        })?;
        Ok(Self { source: source.into(), program: Arc::new(program) })
    }

    /// The text that it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The params that the condition reads, by their top-level names.
    pub fn variables(&self) -> Vec<String> {
        let references = self.program.references();
        references.variables().into_iter().map(str::to_owned).collect()
    }

    /// Whether it holds over these params. A param that is absent counts as null, so that
    /// `ok == true` can be asked before anybody answered.
    pub fn holds(&self, params: &Params) -> Result<bool, Error> {
        let failed = |message: String| Error::Evaluation {
            source_text: self.source.to_string(),
            message: one_line(&message),
        };
        let mut context = Context::default();
        for name in self.variables() {
            let value = params.get(&name).unwrap_or(&serde_json::Value::Null);
            context
                .add_variable(name.as_str(), value)
                .map_err(|error| failed(format!("param `{name}`: {error}")))?;
        }
        match self.program.execute(&context) {
            Ok(Value::Bool(answer)) => Ok(answer),
            Ok(other) => Err(failed(format!("it gives {other:?}, not true or false"))),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Debug for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Condition({:?})", self.source)
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
