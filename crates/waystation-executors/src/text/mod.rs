//! `text.chunk` and `language.detect`: what is done with a document's text.

mod chunk;
mod language;
mod length;

pub use chunk::{Settings as ChunkSettings, build as build_chunk};
pub use language::{Settings as LanguageSettings, build as build_language};
