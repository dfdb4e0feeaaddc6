//! What is known of a document beside what it says.

use serde_json::{Value, json};
use waystation_core::Params;

/// The longest title or name that is kept, in characters.
const TEXT_MAX: usize = 1_000;

/// Facts of a document of this type.
pub struct Facts(Params);

impl Facts {
    /// The first of them.
    pub fn new(kind: &str) -> Self {
        Self(Params::from_iter([("type".to_owned(), json!(kind))]))
    }

    /// With a text, if there is one that says something.
    #[must_use]
    pub fn text(mut self, name: &str, text: Option<String>) -> Self {
        let text = text.map(|text| text.trim().chars().take(TEXT_MAX).collect::<String>());
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.0.insert(name.to_owned(), json!(text));
        }
        self
    }

    /// With a value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// All of them.
    pub fn into_params(self) -> Params {
        self.0
    }
}
