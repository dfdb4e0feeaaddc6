//! What is wrong with a pipeline file: every problem at once, each with its place.

use std::fmt;

/// A place in a file, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, when the pipeline was read from a file.
    pub position: Option<Position>,
    /// What, with the thing and the value.
    pub message: String,
    /// What the reader may do about it.
    pub hint: Option<String>,
}

impl Problem {
    /// A problem that no place in a file belongs to.
    pub fn new(message: impl Into<String>) -> Self {
        Self { position: None, message: message.into(), hint: None }
    }

    /// The same problem at this place.
    #[must_use]
    pub fn at(mut self, position: Position) -> Self {
        self.position = Some(position);
        self
    }

    /// The same problem with this advice.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Position { line, column }) = self.position {
            write!(formatter, "{line}:{column}: ")?;
        }
        formatter.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(formatter, " (hint: {hint})")?;
        }
        Ok(())
    }
}

/// Every problem of one pipeline, in the order of their places. Never empty as an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    /// The file, or what else the text came from.
    pub origin: String,
    /// The problems.
    pub list: Vec<Problem>,
}

impl fmt::Display for Problems {
    /// One line a problem: `file:line:column: message (hint: …)`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            let gap = if problem.position.is_some() { ":" } else { ": " };
            write!(formatter, "{separator}{}{gap}{problem}", self.origin)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}
