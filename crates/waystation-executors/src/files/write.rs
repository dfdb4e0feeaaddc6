//! `files.write`: writes a file that a param names, or the params themselves, into a folder.
//!
//! A file appears whole or not at all: it is written beside its place, flushed, and renamed. A
//! second attempt writes the same again. Another file of that name is left alone unless the
//! stage says `overwrite: true`.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;

use crate::settings::{self, Folder};
use crate::template::{Template, Values};

/// What a stage of this type is told.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where files go.
    folder: Folder,
    /// The file's name, a template of `{stem}`, `{job_id}` and params; `{name}` unless said, or
    /// `{job_id}.json` for the params.
    name: Option<Template>,
    /// The param that names the file to copy. Unless said, the params are written as JSON.
    #[schemars(length(min = 1))]
    source: Option<String>,
    /// The param that will name the written file.
    #[serde(default = "output")]
    #[schemars(length(min = 1))]
    output: String,
    /// Whether another file of that name is replaced.
    #[serde(default)]
    overwrite: bool,
}

fn output() -> String {
    "written".to_owned()
}

#[derive(Clone)]
struct FileWriter {
    settings: Settings,
    name: Template,
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: Settings = settings::read(params)?;
    let unsaid = if settings.source.is_some() { "{name}" } else { "{job_id}.json" };
    let name = match settings.name.clone() {
        Some(name) => name,
        None => Template::parse(unsaid).map_err(|error| vec![error])?,
    };
    Ok(Executor::Worker(Arc::new(FileWriter { settings, name })))
}

#[async_trait]
impl Handler for FileWriter {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let write = self.clone();
        let work = tokio::task::spawn_blocking(move || write.write(&context, &params));
        work.await.map_err(|error| Failure::from_error(ErrorKind::Panic, &error))?
    }
}

impl FileWriter {
    fn write(&self, context: &Context, params: &Params) -> Result<Completion, Failure> {
        let bytes = self.content(params)?;
        let name = self.name.file_name(&Values::new(context, params))?;
        let target = self.settings.folder.path().join(name);
        self.place(&target, &bytes)?;
        let mut output = Params::new();
        output.insert(self.settings.output.clone(), json!(target.display().to_string()));
        Ok(Completion::ok(output))
    }

    fn content(&self, params: &Params) -> Result<Vec<u8>, Failure> {
        let Some(source) = &self.settings.source else {
            let mut bytes = serde_json::to_vec_pretty(params)?;
            bytes.push(b'\n');
            return Ok(bytes);
        };
        let path = match params.get(source) {
            Some(Value::String(path)) => path,
            Some(other) => {
                let message = format!("param `{source}` must name a file, not {other}");
                return Err(Failure::new(ErrorKind::InvalidParam, message));
            }
            None => {
                let message = format!("param `{source}`, which names the file, is absent");
                return Err(Failure::new(ErrorKind::MissingParam, message));
            }
        };
        std::fs::read(path).map_err(|error| {
            Failure::new(ErrorKind::NotFound, format!("cannot read {path}: {error}"))
        })
    }

    /// Puts the file into its place, in one step: of two that come at once, one is refused.
    fn place(&self, target: &Path, bytes: &[u8]) -> Result<(), Failure> {
        let failed = |error: std::io::Error| {
            let message = format!("cannot write {}: {error}", target.display());
            Failure::new(ErrorKind::Error, message)
        };
        let file = beside(self.settings.folder.path(), bytes).map_err(failed)?;
        if self.settings.overwrite {
            return file.persist(target).map(drop).map_err(|error| failed(error.error));
        }
        match file.persist_noclobber(target) {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {
                // A repetition of the same attempt finds what it wrote before.
                if std::fs::read(target).is_ok_and(|there| there == bytes) {
                    return Ok(());
                }
                Err(Failure::new(
                    ErrorKind::Permanent,
                    format!(
                        "{} exists with other content (hint: `overwrite: true`, or another `name`)",
                        target.display()
                    ),
                ))
            }
            Err(error) => Err(failed(error.error)),
        }
    }
}

/// The content in a file of its own beside its place, flushed.
fn beside(folder: &Path, bytes: &[u8]) -> std::io::Result<tempfile::NamedTempFile> {
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    #[cfg(unix)]
    {
        // Temporary files are private; a result is for everybody who may read the folder.
        use std::os::unix::fs::PermissionsExt;
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    file.as_file().sync_all()?;
    Ok(file)
}
