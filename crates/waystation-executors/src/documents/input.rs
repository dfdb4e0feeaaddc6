//! Where a document is: a file, an object or a blob, as a param says it. What is no file of this
//! machine is fetched into one that goes when the stage is done.

use std::path::{Path, PathBuf};

use futures_util::StreamExt;
use object_store::ObjectStoreExt;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use waystation_core::Params;
use waystation_core::blob::BlobRef;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::Context;

use super::settings::Common;
use crate::objects::Place;

/// The params that say where a document is, where no setting names one: those of `files`, and those
/// of `objects`.
const FROM: [&str; 2] = ["path", "url"];

/// A document as a file of this machine.
pub struct Document {
    /// The file.
    pub file: PathBuf,
    /// What it is called where it came from.
    pub shown: String,
    /// How large it is.
    pub bytes: u64,
    /// What keeps a fetched one.
    _folder: Option<TempDir>,
}

/// Brings the document that the params name.
pub async fn bring(
    settings: &Common,
    context: &Context,
    params: &Params,
) -> Result<Document, Failure> {
    let (param, value) = named(settings, params)?;
    let document = match value {
        Value::String(text) => match text.split_once("://") {
            None => local(PathBuf::from(text), text.clone()),
            Some(("file", path)) => local(PathBuf::from(path), text.clone()),
            Some(_) => object(settings, text).await,
        },
        Value::Object(_) => blob(settings, context, param, value).await,
        other => {
            let message = format!(
                "param `{param}` must name a document: a path, a URL or a blob, not {other}"
            );
            Err(Failure::new(ErrorKind::InvalidParam, message))
        }
    }?;
    within(settings, &document.shown, document.bytes)?;
    if document.bytes == 0 {
        let message = format!("cannot read {}: empty: it has no bytes", document.shown);
        return Err(Failure::new(ErrorKind::Permanent, message));
    }
    Ok(document)
}

fn named<'a>(settings: &'a Common, params: &'a Params) -> Result<(&'a str, &'a Value), Failure> {
    let names: Vec<&str> = match &settings.from {
        Some(name) => vec![name],
        None => FROM.to_vec(),
    };
    let found = names.iter().find_map(|name| {
        let value = params.get(*name).filter(|value| !value.is_null())?;
        Some((*name, value))
    });
    found.ok_or_else(|| {
        let message =
            format!("param `{}`, which names the document, is absent", names.join("` or `"));
        Failure::new(ErrorKind::MissingParam, message)
    })
}

fn within(settings: &Common, shown: &str, bytes: u64) -> Result<(), Failure> {
    let most = settings.max_bytes;
    if bytes <= most {
        return Ok(());
    }
    let message = format!(
        "cannot read {shown}: too large: it has {bytes} bytes, more than {most} \
         (hint: `max_bytes`)"
    );
    Err(Failure::new(ErrorKind::Permanent, message))
}

fn local(file: PathBuf, shown: String) -> Result<Document, Failure> {
    let status = std::fs::metadata(&file).map_err(|error| {
        Failure::new(ErrorKind::NotFound, format!("cannot read {shown}: {error}"))
    })?;
    if !status.is_file() {
        let message = format!("cannot read {shown}: it is no file");
        return Err(Failure::new(ErrorKind::InvalidParam, message));
    }
    Ok(Document { file, shown, bytes: status.len(), _folder: None })
}

/// A place for a fetched document.
fn folder() -> Result<TempDir, Failure> {
    tempfile::tempdir().map_err(|error| {
        let message = format!("cannot fetch a document into {}", std::env::temp_dir().display());
        let mut failure = Failure::new(ErrorKind::Error, message);
        failure.causes.push(error.to_string());
        failure
    })
}

async fn blob(
    settings: &Common,
    context: &Context,
    param: &str,
    value: &Value,
) -> Result<Document, Failure> {
    let blob: BlobRef = serde_json::from_value(value.clone()).map_err(|error| {
        let message =
            format!("param `{param}` must be a reference to a blob, not {value}: {error}");
        Failure::new(ErrorKind::InvalidParam, message)
    })?;
    let shown = format!("blob `{}`", blob.key);
    if let Some(bytes) = blob.bytes {
        within(settings, &shown, bytes)?;
    }
    let folder = folder()?;
    let file = folder.path().join("document");
    let bytes = context.blobs.download(&blob, &file).await?;
    Ok(Document { file, shown, bytes, _folder: Some(folder) })
}

async fn object(settings: &Common, url: &str) -> Result<Document, Failure> {
    // Who sends a job must not choose where this stage's credentials go.
    if url.contains('?') {
        let message = format!(
            "cannot read {url}: the URL of a document has no query (hint: `options` say the rest)"
        );
        return Err(Failure::new(ErrorKind::InvalidParam, message));
    }
    let place = Place::open(url, &settings.options).map_err(|problem| {
        let problem = problem.strip_prefix("setting `url`: ").unwrap_or(&problem).to_owned();
        Failure::new(ErrorKind::InvalidParam, format!("cannot read {url}: {problem}"))
    })?;
    let folder = folder()?;
    let file = folder.path().join("document");
    match fetch(settings, &place, url, &file).await {
        Ok(bytes) => Ok(Document { file, shown: url.to_owned(), bytes, _folder: Some(folder) }),
        Err(Fetching::Failed(failure)) => Err(failure),
        Err(Fetching::Store(error)) => {
            let kind = match &error {
                object_store::Error::NotFound { .. } => ErrorKind::NotFound,
                _ => ErrorKind::Transient,
            };
            let mut failure = Failure::new(kind, format!("cannot read {url}"));
            failure.causes.push(error.to_string());
            Err(failure)
        }
    }
}

enum Fetching {
    Store(object_store::Error),
    Failed(Failure),
}

impl From<object_store::Error> for Fetching {
    fn from(error: object_store::Error) -> Self {
        Self::Store(error)
    }
}

async fn fetch(settings: &Common, place: &Place, url: &str, file: &Path) -> Result<u64, Fetching> {
    let written = |error: std::io::Error| {
        let message = format!("cannot write {}: {error}", file.display());
        Fetching::Failed(Failure::new(ErrorKind::Error, message))
    };
    let found = place.store.open()?.get(&place.folder).await?;
    within(settings, url, found.meta.size).map_err(Fetching::Failed)?;
    let mut parts = found.into_stream();
    let mut file_there = tokio::fs::File::create(file).await.map_err(written)?;
    let mut bytes = 0;
    while let Some(part) = parts.next().await {
        let part = part?;
        bytes += part.len() as u64;
        within(settings, url, bytes).map_err(Fetching::Failed)?;
        file_there.write_all(&part).await.map_err(written)?;
    }
    file_there.flush().await.map_err(written)?;
    Ok(bytes)
}
