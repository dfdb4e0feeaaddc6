//! How long a piece of text is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use text_splitter::ChunkSizer;

/// What a chunk's length is counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Characters.
    #[default]
    Characters,
    /// What stands between white space.
    Words,
    /// Tokens of a language model, by its table, which is part of the program.
    Tokens,
}

/// The table by which tokens are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// That of GPT-4o and later models.
    #[default]
    O200kBase,
    /// That of GPT-4 and of `text-embedding-3`.
    Cl100kBase,
}

/// Counts.
#[derive(Clone, Copy)]
pub enum Length {
    /// Characters.
    Characters,
    /// Words.
    Words,
    /// Tokens.
    #[cfg(feature = "tokens")]
    Tokens(Encoding),
}

impl TryFrom<(Unit, Encoding)> for Length {
    type Error = &'static str;

    fn try_from((unit, encoding): (Unit, Encoding)) -> Result<Self, Self::Error> {
        match (unit, encoding) {
            (Unit::Characters, _) => Ok(Self::Characters),
            (Unit::Words, _) => Ok(Self::Words),
            #[cfg(feature = "tokens")]
            (Unit::Tokens, encoding) => Ok(Self::Tokens(encoding)),
            #[cfg(not(feature = "tokens"))]
            (Unit::Tokens, _) => Err("this build has no tokens (hint: a feature brings them)"),
        }
    }
}

impl ChunkSizer for Length {
    fn size(&self, chunk: &str) -> usize {
        match self {
            Self::Characters => chunk.chars().count(),
            Self::Words => chunk.split_whitespace().count(),
            #[cfg(feature = "tokens")]
            Self::Tokens(Encoding::O200kBase) => {
                tiktoken_rs::o200k_base_singleton().count_ordinary(chunk)
            }
            #[cfg(feature = "tokens")]
            Self::Tokens(Encoding::Cl100kBase) => {
                tiktoken_rs::cl100k_base_singleton().count_ordinary(chunk)
            }
        }
    }
}
