//! `files.write`: writes a file that a param names, or the params themselves, into a folder.
//!
//! A file appears whole or not at all: it is written beside its place, flushed, and renamed. A
//! second attempt writes the same again. Another file of that name is left alone unless the
//! stage says `overwrite: true`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;

use super::template;
use crate::settings::Settings;

#[derive(Clone)]
struct FileWriter {
    folder: PathBuf,
    name: String,
    source: Option<String>,
    output: String,
    overwrite: bool,
}

/// Settings: `folder`; `name` (a template); `source` (the param that names the file to copy; the
/// params as JSON without it); `output` (the param that will name the written file); `overwrite`.
pub fn build(settings: &mut Settings<'_>) -> Option<Executor> {
    let folder = settings.folder("folder");
    let source = settings.optional_text("source");
    let ending = if source.is_some() { "{name}" } else { "{job_id}.json" };
    let name = settings.optional_text("name").unwrap_or_else(|| ending.to_owned());
    let output = settings.optional_text("output").unwrap_or_else(|| "written".to_owned());
    let overwrite = settings.flag("overwrite", false);
    let write = FileWriter { folder: folder?, name, source, output, overwrite };
    Some(Executor::Worker(Arc::new(write)))
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
        let target = self.folder.join(template::fill(&self.name, &context.job_id, params)?);
        self.place(&target, &bytes)?;
        let mut output = Params::new();
        output.insert(self.output.clone(), json!(target.display().to_string()));
        Ok(Completion::ok(output))
    }

    fn content(&self, params: &Params) -> Result<Vec<u8>, Failure> {
        let Some(source) = &self.source else {
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
        let file = beside(&self.folder, bytes).map_err(failed)?;
        if self.overwrite {
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
