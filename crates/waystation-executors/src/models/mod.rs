//! `llm` and `embed`: language models behind the one interface that most services have.

mod answer;
mod embed;
mod llm;
mod service;

pub use embed::{Settings as EmbedSettings, build as build_embed};
pub use llm::{Settings as LlmSettings, build as build_llm};
