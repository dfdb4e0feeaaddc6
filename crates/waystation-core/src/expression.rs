//! CEL expressions over a job's params.

use std::fmt;
use std::sync::Arc;

use cel::{Context, Program, Value};

use crate::Params;

/// The longest expression, in bytes. The parser and the interpreter recurse: without a limit a
/// chain of two thousand operators would overflow the stack of the thread that asks.
pub const BYTES_MAX: usize = 1_000;

/// A compiled expression.
#[derive(Clone)]
pub struct Expression {
    source: Arc<str>,
    program: Arc<Program>,
    /// The names on the way to a value, where it is nothing but that.
    path: Option<Arc<[String]>>,
}

/// Why a text is not an expression.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text is not CEL.
    #[error("{message}")]
    Syntax {
        /// What the parser said.
        message: String,
    },
    /// The text is too long.
    #[error("{bytes} bytes are more than the {BYTES_MAX} allowed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
}

impl Expression {
    /// Compiles an expression.
    pub fn parse(source: &str) -> Result<Self, Error> {
        if source.len() > BYTES_MAX {
            return Err(Error::TooLong { bytes: source.len() });
        }
        let program = Program::compile(source)
            .map_err(|error| Error::Syntax { message: one_line(&error.to_string()) })?;
        let path = path(source, &program);
        Ok(Self { source: source.into(), program: Arc::new(program), path })
    }

    /// The text that it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The params that it reads, by their top-level names.
    pub fn variables(&self) -> Vec<String> {
        let references = self.program.references();
        references.variables().into_iter().map(str::to_owned).collect()
    }

    /// The value that it names, where it is the name of a param, or a path into one, and there is
    /// such a value: the same as [`Self::value`] gives, without the tens of microseconds that an
    /// interpreter takes to be set up.
    pub(crate) fn named<'a>(&self, params: &'a Params) -> Option<&'a serde_json::Value> {
        let (first, rest) = self.path.as_deref()?.split_first()?;
        rest.iter().try_fold(params.get(first)?, |value, name| value.as_object()?.get(name))
    }

    /// What it gives over these params, or why it gives nothing. A param that is absent counts as
    /// null.
    pub(crate) fn value(&self, params: &Params) -> Result<Value, String> {
        let mut context = Context::default();
        for name in self.variables() {
            let value = params.get(&name).unwrap_or(&serde_json::Value::Null);
            context
                .add_variable(name.as_str(), value)
                .map_err(|error| format!("param `{name}`: {}", one_line(&error.to_string())))?;
        }
        self.program.execute(&context).map_err(|error| one_line(&error.to_string()))
    }
}

/// The names of a dotted path, of which the first is a variable.
fn path(source: &str, program: &Program) -> Option<Arc<[String]>> {
    let names: Vec<String> = source.trim().split('.').map(str::to_owned).collect();
    let is_name = |name: &String| {
        let mut letters = name.chars();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    let references = program.references();
    let is_variable = references.has_variable(names.first()?);
    (is_variable && names.iter().all(is_name)).then(|| names.into())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Debug for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Expression({:?})", self.source)
    }
}
