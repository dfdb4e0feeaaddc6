//! `text.chunk`: cuts a text into pieces that fit into a model or an index.
//!
//! It is cut where it means least: between paragraphs, then lines, sentences, words, characters.

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use text_splitter::{ChunkConfig, TextSplitter};
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;

use super::length::{Encoding, Length, Unit};
use crate::inputs::{self, invalid};
use crate::settings;

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The param with the text.
    #[serde(default = "text")]
    #[schemars(length(min = 1))]
    text: String,
    /// The longest that a chunk may be.
    #[serde(default = "size")]
    #[schemars(range(min = 1))]
    size: usize,
    /// How much of the end of a chunk is at the beginning of the next one too, at most; less than
    /// `size`.
    #[serde(default)]
    overlap: usize,
    /// What `size` and `overlap` are counted in.
    #[serde(default)]
    by: Unit,
    /// With `by: tokens`: the table of them.
    #[serde(default)]
    encoding: Encoding,
    /// The most chunks of a text; one that gives more fails.
    #[serde(default = "chunks_max")]
    #[schemars(range(min = 1))]
    max_chunks: usize,
    /// The param that will hold the chunks.
    #[serde(default = "output")]
    #[schemars(length(min = 1))]
    output: String,
}

fn text() -> String {
    "text".to_owned()
}

fn size() -> usize {
    1000
}

fn chunks_max() -> usize {
    10_000
}

fn output() -> String {
    "chunks".to_owned()
}

struct Chunk {
    text: String,
    splitter: Arc<TextSplitter<Length>>,
    chunks_max: usize,
    output: String,
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: Settings = settings::read(params)?;
    let Settings { size, overlap, .. } = settings;
    if overlap >= size {
        let message = format!("setting `overlap` must be less than `size` ({overlap}, {size})");
        return Err(vec![message]);
    }
    let length = Length::try_from((settings.by, settings.encoding));
    let length = length.map_err(|error| vec![format!("setting `by`: {error}")])?;
    let config = ChunkConfig::new(size).with_sizer(length);
    let config = config.with_overlap(overlap).map_err(|error| vec![error.to_string()])?;
    let chunk = Chunk {
        text: settings.text,
        splitter: Arc::new(TextSplitter::new(config)),
        chunks_max: settings.max_chunks,
        output: settings.output,
    };
    Ok(Executor::Worker(Arc::new(chunk)))
}

#[async_trait]
impl Handler for Chunk {
    async fn run(&self, _context: Context, params: Params) -> Result<Completion, Failure> {
        let text = inputs::text(&params, &self.text)?.to_owned();
        let (splitter, most) = (Arc::clone(&self.splitter), self.chunks_max);
        let work = tokio::task::spawn_blocking(move || cut(&splitter, &text, most));
        let chunks = work.await.map_err(|error| Failure::from_error(ErrorKind::Panic, &error))?;
        let Some(chunks) = chunks else {
            return Err(invalid(format!(
                "param `{}` gives more than {most} chunks (hint: `max_chunks`, or a larger `size`)",
                self.text
            )));
        };
        Ok(Completion::ok(Params::from_iter([(self.output.clone(), chunks)])))
    }
}

/// The chunks with where they are, in characters; `None` of too many.
fn cut(splitter: &TextSplitter<Length>, text: &str, most: usize) -> Option<Value> {
    let mut chunks = Vec::new();
    for (index, piece) in splitter.chunk_char_indices(text).enumerate() {
        if index == most {
            return None;
        }
        let start = piece.char_offset;
        let end = start + piece.chunk.chars().count();
        chunks.push(json!({ "text": piece.chunk, "index": index, "start": start, "end": end }));
    }
    Some(Value::Array(chunks))
}
