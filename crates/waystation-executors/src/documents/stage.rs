//! The stages: bring the document, have it parsed, say what came of it.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;

use super::wire::{Answer, Request, Task};
use super::{formats, input, process};
use crate::settings;

struct Reading {
    task: Task,
}

/// Makes a stage that reads PDF.
pub fn build_pdf(params: &Params) -> Result<Executor, Vec<String>> {
    settings::read(params).map(Task::Pdf).map(stage)
}

/// Makes a stage that reads documents of Word.
pub fn build_docx(params: &Params) -> Result<Executor, Vec<String>> {
    settings::read(params).map(Task::Docx).map(stage)
}

/// Makes a stage that reads slides.
pub fn build_pptx(params: &Params) -> Result<Executor, Vec<String>> {
    settings::read(params).map(Task::Pptx).map(stage)
}

/// Makes a stage that reads HTML.
pub fn build_html(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: super::HtmlText = settings::read(params)?;
    is_encoding(settings.encoding.as_deref())?;
    Ok(stage(Task::Html(settings)))
}

/// Makes a stage that reads whatever it is given.
pub fn build_document(params: &Params) -> Result<Executor, Vec<String>> {
    settings::read(params).map(Task::Any).map(stage)
}

/// Makes a stage that reads sheets of Excel.
pub fn build_xlsx(params: &Params) -> Result<Executor, Vec<String>> {
    settings::read(params).map(Task::Xlsx).map(stage)
}

/// Makes a stage that reads CSV.
pub fn build_csv(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: super::CsvRows = settings::read(params)?;
    is_encoding(settings.encoding.as_deref())?;
    Ok(stage(Task::Csv(settings)))
}

fn stage(task: Task) -> Executor {
    Executor::Worker(Arc::new(Reading { task }))
}

fn is_encoding(name: Option<&str>) -> Result<(), Vec<String>> {
    match name {
        Some(name) if !formats::is_encoding(name) => {
            let known = "known: those of the web, as `utf-8`, `windows-1252`, `utf-16le`";
            Err(vec![format!("setting `encoding` must be an encoding, not `{name}` ({known})")])
        }
        _ => Ok(()),
    }
}

#[async_trait]
impl Handler for Reading {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let common = self.task.common();
        let document = input::bring(common, &context, &params).await?;
        let request = self.request(&document, &params);
        let answer = process::ask(&context, &request, &document.shown).await?;
        let (said, mut facts) = match answer {
            Answer::Read { said, facts } => (said, facts),
            Answer::Refused(why) => {
                let message = format!("cannot read {}: {why}", document.shown);
                return Err(Failure::new(ErrorKind::Permanent, message));
            }
        };
        facts.insert("bytes".into(), json!(document.bytes));
        let mut output = Params::new();
        output.insert(common.facts.clone(), Value::Object(facts));
        output.insert(self.task.to().to_owned(), said);
        Ok(Completion::ok(output))
    }
}

impl Reading {
    fn request(&self, document: &input::Document, params: &Params) -> Request {
        let text = |name: &str| params.get(name).and_then(Value::as_str).map(str::to_owned);
        let media_type = match &self.task {
            Task::Any(settings) => text(&settings.media_type),
            _ => None,
        };
        // Blobs have keys: the name of what they were made of says more.
        let is_named = Path::new(&document.shown).extension().is_some();
        let name = if is_named { None } else { text("name") };
        let name = name.unwrap_or_else(|| document.shown.clone());
        Request { file: document.file.clone(), name, media_type, task: self.task.clone() }
    }
}
