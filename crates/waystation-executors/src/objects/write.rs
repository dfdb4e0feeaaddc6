//! `objects.write`: puts a text, a file or the params into a bucket or a folder.
//!
//! An object appears whole or not at all. A second attempt puts the same again. Another object of
//! that key is left alone unless the stage says `overwrite: true`.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt;
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;

use super::place::Place;
use crate::inputs::{self, invalid};
use crate::settings;
use crate::template::{Template, Values, written};

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where objects go: `s3://BUCKET/FOLDER`, `az://CONTAINER/FOLDER`, `gs://BUCKET/FOLDER` or
    /// `file://FOLDER`.
    #[schemars(length(min = 1))]
    url: String,
    /// Credentials and whatever else the store is told, by the names of the cloud's variables, as
    /// `aws_access_key_id`.
    #[serde(default)]
    options: BTreeMap<String, String>,
    /// The object's key below the folder: a template, with `/` between folders.
    key: Template,
    /// The param that is written: a text as it is, anything else as JSON.
    #[schemars(length(min = 1))]
    text: Option<String>,
    /// The param that names the file to copy. With neither `text` nor `file` the params are
    /// written, as JSON.
    #[schemars(length(min = 1))]
    file: Option<String>,
    /// Whether another object of that key is replaced.
    #[serde(default)]
    overwrite: bool,
    /// The largest object that is written, in bytes: it is held in memory.
    #[serde(default = "bytes")]
    #[schemars(range(min = 1))]
    max_bytes: usize,
    /// The param that will hold the object's URL.
    #[serde(default = "output")]
    #[schemars(length(min = 1))]
    output: String,
}

fn bytes() -> usize {
    100 * 1024 * 1024
}

fn output() -> String {
    "written".to_owned()
}

enum Content {
    Params,
    Param(String),
    File(String),
}

struct Write {
    place: Place,
    key: Template,
    content: Content,
    overwrite: bool,
    bytes_max: usize,
    output: String,
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: Settings = settings::read(params)?;
    let place = Place::open(&settings.url, &settings.options).map_err(|error| vec![error])?;
    let content = match (settings.text, settings.file) {
        (None, None) => Content::Params,
        (Some(param), None) => Content::Param(param),
        (None, Some(param)) => Content::File(param),
        (Some(_), Some(_)) => {
            let message = "settings `text` and `file` are two contents: leave one out";
            return Err(vec![message.to_owned()]);
        }
    };
    let write = Write {
        place,
        key: settings.key,
        content,
        overwrite: settings.overwrite,
        bytes_max: settings.max_bytes,
        output: settings.output,
    };
    Ok(Executor::Worker(Arc::new(write)))
}

#[async_trait]
impl Handler for Write {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let path = self.path(&Values::new(&context, &params))?;
        let url = self.place.url_of(&path);
        let bytes = self.content(&params).await?;
        if bytes.len() > self.bytes_max {
            let most = self.bytes_max;
            let message = format!("{url} would have more than {most} bytes (hint: `max_bytes`)");
            return Err(invalid(message));
        }
        let store = self.place.open_to_write().await.map_err(|error| failed(&url, &error))?;
        self.put(&*store, &path, &url, bytes).await?;
        Ok(Completion::ok(Params::from_iter([(self.output.clone(), json!(url))])))
    }
}

impl Write {
    fn path(&self, values: &Values<'_>) -> Result<Path, Failure> {
        let key = self.key.fill_plain("setting `key`", values)?;
        let wrong = |why: &dyn std::fmt::Display| {
            invalid(format!("setting `key` gives `{key}`, which is no key: {why}"))
        };
        // Such a path has no empty parts, and none that leads upwards.
        let path = Path::parse(&key).map_err(|error| wrong(&error))?;
        if path.as_ref().is_empty() {
            return Err(wrong(&"it is empty"));
        }
        Ok(self.place.folder.parts().chain(path.parts()).collect())
    }

    async fn content(&self, params: &Params) -> Result<Vec<u8>, Failure> {
        match &self.content {
            Content::Params => {
                let mut bytes = serde_json::to_vec_pretty(params)?;
                bytes.push(b'\n');
                Ok(bytes)
            }
            Content::Param(name) => Ok(written(inputs::value(params, name)?).into_bytes()),
            Content::File(name) => {
                let path = inputs::text(params, name)?;
                let cannot = |error: std::io::Error| {
                    Failure::new(ErrorKind::NotFound, format!("cannot read {path}: {error}"))
                };
                // Others have no length, and some no end.
                if !tokio::fs::metadata(path).await.map_err(cannot)?.is_file() {
                    return Err(invalid(format!("{path} is no file")));
                }
                let file = tokio::fs::File::open(path).await.map_err(cannot)?;
                let mut bytes = Vec::new();
                let most = self.bytes_max as u64 + 1;
                file.take(most).read_to_end(&mut bytes).await.map_err(cannot)?;
                Ok(bytes)
            }
        }
    }

    /// Puts the object into its place, in one step: of two that come at once, one is refused.
    async fn put(
        &self,
        store: &dyn ObjectStore,
        path: &Path,
        url: &str,
        bytes: Vec<u8>,
    ) -> Result<(), Failure> {
        let mode = if self.overwrite { PutMode::Overwrite } else { PutMode::Create };
        let options = PutOptions { mode, ..PutOptions::default() };
        let payload = PutPayload::from(bytes.clone());
        match store.put_opts(path, payload, options).await {
            Ok(_) => return Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => {}
            Err(error) => return Err(failed(url, &error)),
        }
        // A repetition of the same attempt finds what it wrote before.
        let there = store.head(path).await.map_err(|error| failed(url, &error))?;
        if there.size == bytes.len() as u64 {
            let there = store.get(path).await.map_err(|error| failed(url, &error))?;
            if there.bytes().await.map_err(|error| failed(url, &error))? == bytes {
                return Ok(());
            }
        }
        let hint = "(hint: `overwrite: true`, or another `key`)";
        let message = format!("{url} exists with other content {hint}");
        Err(Failure::new(ErrorKind::Permanent, message))
    }
}

fn failed(url: &str, error: &object_store::Error) -> Failure {
    use object_store::Error::{
        InvalidPath, NotImplemented, NotSupported, PermissionDenied, Unauthenticated,
    };
    let kind = match error {
        InvalidPath { .. }
        | NotImplemented { .. }
        | NotSupported { .. }
        | PermissionDenied { .. }
        | Unauthenticated { .. } => ErrorKind::Permanent,
        _ => ErrorKind::Transient,
    };
    let below = Failure::from_error(kind, error);
    let mut failure = Failure::new(kind, format!("cannot write {url}"));
    failure.causes.push(below.message);
    failure.causes.extend(below.causes);
    failure
}

#[cfg(test)]
mod tests;
