//! The pipeline: find, read, chunk, index.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use waystation::core::clock::Timestamp;
use waystation::{App, Context, ErrorKind, Failure};

use crate::index::{Chunk, Document, Index};
use crate::place::{Home, Origin};

/// The longest chunk and what two neighbours share, in characters: a few sentences, so that a hit
/// can be read where it stands.
const CHUNK_LENGTH: usize = 800;
const CHUNK_OVERLAP: usize = 80;

/// When it looks for documents.
#[derive(Clone, Copy, Debug)]
pub struct Looking {
    /// How long after the beginning of a look the next one begins.
    pub every_seconds: f64,
    /// How long a file must have been left alone.
    pub settle_seconds: f64,
}

/// What the stages before give to the index.
#[derive(Deserialize, JsonSchema)]
struct Chunked {
    /// Of a file.
    path: Option<String>,
    /// Of an object.
    url: Option<String>,
    /// When it was changed.
    modified_at: String,
    /// What is known of the document.
    #[serde(default)]
    document: Facts,
    /// Its text, in pieces.
    chunks: Vec<Piece>,
}

#[derive(Default, Deserialize, JsonSchema)]
struct Facts {
    title: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Piece {
    text: String,
}

/// What the index says of it.
#[derive(Serialize, JsonSchema)]
struct Indexed {
    /// How many chunks it has in the index.
    indexed: usize,
}

/// The pipeline over documents from there, with all that it keeps at home.
pub fn chain(origin: &Origin, home: &Home, looking: Looking, index: Arc<Index>) -> App {
    let (source, settings) = origin.source(looking.settle_seconds);
    let index = move |context: Context, chunked: Chunked| {
        let index = Arc::clone(&index);
        async move { keep(&context, chunked, index).await }
    };
    // A document that cannot be read today cannot be read tomorrow; what may pass by itself, such
    // as a store that is away, is tried again.
    let read = json!({ "id": "read", "type": "document.text", "offload": true });
    App::new("documents")
        .settings(json!({
            "id": "find", "type": source, "settings": settings,
            "schedule": { "every_seconds": looking.every_seconds },
        }))
        .settings(read)
        .settings(json!({
            "id": "chunk", "type": "text.chunk", "offload": true,
            "settings": { "size": CHUNK_LENGTH, "overlap": CHUNK_OVERLAP },
        }))
        .stage("index", index)
        .store(&home.store())
        .blobs(&home.blobs())
}

async fn keep(_: &Context, chunked: Chunked, index: Arc<Index>) -> Result<Indexed, Failure> {
    let location = chunked.path.or(chunked.url).ok_or_else(|| {
        Failure::new(ErrorKind::MissingParam, "neither `path` nor `url` says which document it is")
    })?;
    let modified_at = Timestamp::parse(&chunked.modified_at).ok_or_else(|| {
        let message = format!("param `modified_at` is no moment: {}", chunked.modified_at);
        Failure::new(ErrorKind::InvalidParam, message)
    })?;
    let pieces = chunked.chunks.into_iter();
    let document = Document {
        location,
        modified_at: modified_at.0,
        title: chunked.document.title.filter(|title| !title.trim().is_empty()),
        chunks: pieces.map(|piece| Chunk { text: piece.text }).collect(),
    };
    let indexed = document.chunks.len();
    let work = tokio::task::spawn_blocking(move || index.put(&document));
    let put = work.await.map_err(|error| Failure::from_error(ErrorKind::Panic, &error))?;
    put.map_err(|error| Failure::transient(format!("the index does not take it: {error}")))?;
    Ok(Indexed { indexed })
}
