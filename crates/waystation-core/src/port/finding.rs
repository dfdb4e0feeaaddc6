//! What a look at a backend finds, before anybody relies on it.

use std::fmt;

use serde::Serialize;

/// How grave a finding is; the gravest is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Fine,
    /// It works, and somebody should know.
    Warn,
    /// Work is not begun on it: something would be lost, or cannot be done.
    Refuse,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How grave it is.
    pub severity: Severity,
    /// What was looked at: a setting by its own name, or a word.
    pub subject: &'static str,
    /// What was found, with its value.
    pub message: String,
    /// What the reader can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Warn => "warn",
            Self::Refuse => "refuse",
        }
    }
}

impl Finding {
    /// As it should be.
    pub fn fine(subject: &'static str, message: impl Into<String>) -> Self {
        Self { severity: Severity::Fine, subject, message: message.into(), hint: None }
    }

    /// Somebody should know.
    pub fn warn(
        subject: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        let (message, hint) = (message.into(), Some(hint.into()));
        Self { severity: Severity::Warn, subject, message, hint }
    }

    /// Nobody should work on it.
    pub fn refuse(
        subject: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { severity: Severity::Refuse, ..Self::warn(subject, message, hint) }
    }

    /// The same finding where the reader has said that it is meant: a refusal becomes a warning.
    #[must_use]
    pub fn meant(mut self) -> Self {
        self.severity = self.severity.min(Severity::Warn);
        self
    }

    /// Whether work is not to begin.
    pub fn refuses(&self) -> bool {
        self.severity == Severity::Refuse
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.subject, self.message)?;
        match &self.hint {
            Some(hint) => write!(formatter, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, Severity};

    #[test]
    fn meant_refusals_are_warnings_and_the_rest_stays() {
        let refused = Finding::refuse("fsync", "fsync is off", "turn it on");
        assert!(refused.refuses());
        assert_eq!(refused.to_string(), "fsync: fsync is off (hint: turn it on)");
        assert_eq!(refused.meant().severity, Severity::Warn);
        assert_eq!(Finding::fine("fsync", "on").meant().severity, Severity::Fine);
    }
}
