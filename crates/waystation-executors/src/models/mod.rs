//! `llm` and `embed`: language models behind the interface that OpenAI's has and many share.

mod answer;
mod embed;
mod llm;
mod service;

pub use embed::{Settings as EmbedSettings, build as build_embed};
pub use llm::{Settings as LlmSettings, build as build_llm};
