//! What is not as it was in a converted file.

use std::fmt;

use crate::pipeline::{Position, Problem};

/// Something that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// Where it was.
    pub position: Position,
    /// The stage that it belongs to, where it is one's.
    pub stage: Option<String>,
    /// What.
    pub message: String,
    /// Whether it has no counterpart here, so that somebody must look.
    pub is_gap: bool,
}

impl Remark {
    /// What it is in a file that is to be run.
    pub(super) fn problem(self) -> Problem {
        let message = match self.stage {
            Some(stage) => format!("stage `{stage}`: {}", self.message),
            None => self.message,
        };
        let hint = "`waystation pipelines convert FILE` writes the file in our form";
        Problem::new(message).at(self.position).hint(hint)
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        write!(formatter, "{line}:{column}: ")?;
        if let Some(stage) = &self.stage {
            write!(formatter, "stage `{stage}`: ")?;
        }
        formatter.write_str(&self.message)
    }
}

/// Gathers remarks.
#[derive(Default)]
pub struct Remarks {
    /// In the order in which they were made.
    pub list: Vec<Remark>,
}

impl Remarks {
    /// Something has no counterpart.
    pub fn gap(&mut self, position: Position, stage: Option<&str>, message: impl Into<String>) {
        self.add(position, stage, message.into(), true);
    }

    /// Something is otherwise, and right.
    pub fn note(&mut self, position: Position, stage: Option<&str>, message: impl Into<String>) {
        self.add(position, stage, message.into(), false);
    }

    fn add(&mut self, position: Position, stage: Option<&str>, message: String, is_gap: bool) {
        let stage = stage.map(str::to_owned);
        self.list.push(Remark { position, stage, message, is_gap });
    }
}
