//! The types that stages may have: the ready-made ones and the user's own handlers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use waystation_core::Params;
use waystation_core::handler::Handler;
use waystation_core::pipeline::{Catalog, Executor, Stage, StageKind, StageType};

use crate::settings::{self, Nothing, Setting, schema_of};
use crate::{exec, fields, files, lists, pass, sub_pipeline, webhook};

/// A ready-made executor.
pub struct Entry {
    /// What a pipeline file calls it: a stage's `type:`.
    pub name: &'static str,
    /// What kind of step it is.
    pub kind: StageKind,
    /// What it does, in a line.
    pub summary: &'static str,
    /// What its settings may be: a JSON Schema.
    pub schema: fn() -> Value,
    /// Makes a stage's code from its settings, or tells every problem of these.
    build: fn(&Params) -> Result<Executor, Vec<String>>,
}

impl Entry {
    /// What there is to know of each of its settings.
    pub fn settings(&self) -> Vec<Setting> {
        settings::told(&(self.schema)())
    }
}

/// The type of sources that take from queues, and how soon they look again: they wait for what
/// comes, so that nothing is gained by a pause.
const QUEUE: &str = "queue";
const QUEUE_EVERY: Duration = Duration::from_secs(1);
/// The type of sources that are brought their items.
const WEBHOOK: &str = "webhook";

/// The ready-made executors, by name.
const READY_MADE: &[Entry] = &[
    Entry {
        name: "aggregate",
        kind: StageKind::Worker,
        summary: "sums, counts and groups of the lists that a join collected",
        schema: schema_of::<lists::AggregateSettings>,
        build: lists::build_aggregate,
    },
    #[cfg(feature = "documents")]
    Entry {
        name: "csv.rows",
        kind: StageKind::Worker,
        summary: "reads the rows of a CSV",
        schema: schema_of::<crate::documents::CsvRows>,
        build: crate::documents::build_csv,
    },
    #[cfg(feature = "documents")]
    Entry {
        name: "document.text",
        kind: StageKind::Worker,
        summary: "reads the text of a document, whatever it is",
        schema: schema_of::<crate::documents::DocumentText>,
        build: crate::documents::build_document,
    },
    #[cfg(feature = "documents")]
    Entry {
        name: "docx.text",
        kind: StageKind::Worker,
        summary: "reads the text of a document of Word",
        schema: schema_of::<crate::documents::DocxText>,
        build: crate::documents::build_docx,
    },
    #[cfg(feature = "http")]
    Entry {
        name: "embed",
        kind: StageKind::Worker,
        summary: "has a model make vectors of texts",
        schema: schema_of::<crate::models::EmbedSettings>,
        build: crate::models::build_embed,
    },
    Entry {
        name: "exec",
        kind: StageKind::Worker,
        summary: "runs a program: contract on stdin, params from the last stdout line",
        schema: schema_of::<exec::Settings>,
        build: exec::build,
    },
    Entry {
        name: "fields.map",
        kind: StageKind::Worker,
        summary: "sets, copies, renames and drops fields",
        schema: schema_of::<fields::MapSettings>,
        build: fields::build_map,
    },
    Entry {
        name: "fields.select",
        kind: StageKind::Worker,
        summary: "keeps some fields, or drops some",
        schema: schema_of::<fields::SelectSettings>,
        build: fields::build_select,
    },
    Entry {
        name: "files",
        kind: StageKind::Source,
        summary: "makes a job of each file in a folder",
        schema: schema_of::<files::Settings>,
        build: files::build_source,
    },
    Entry {
        name: "files.write",
        kind: StageKind::Worker,
        summary: "writes a file, or the params, into a folder",
        schema: schema_of::<files::WriteSettings>,
        build: files::build_write,
    },
    Entry {
        name: "foreign",
        kind: StageKind::Foreign,
        summary: "waits for a program that takes from the stage's queue and forwards by itself",
        schema: schema_of::<Nothing>,
        build: |params| without_settings(params, Executor::Foreign),
    },
    #[cfg(feature = "documents")]
    Entry {
        name: "html.text",
        kind: StageKind::Worker,
        summary: "reads the text of a page of the web",
        schema: schema_of::<crate::documents::HtmlText>,
        build: crate::documents::build_html,
    },
    #[cfg(feature = "http")]
    Entry {
        name: "http",
        kind: StageKind::Worker,
        summary: "asks somebody over HTTP and keeps the answer",
        schema: schema_of::<crate::http::RequestSettings>,
        build: crate::http::build_request,
    },
    #[cfg(feature = "http")]
    Entry {
        name: "http.poll",
        kind: StageKind::Source,
        summary: "makes a job of each item of a list that somebody serves as JSON",
        schema: schema_of::<crate::http::Settings>,
        build: crate::http::build,
    },
    #[cfg(feature = "images")]
    Entry {
        name: "image.rectify",
        kind: StageKind::Worker,
        summary: "finds the page in a photo and straightens it",
        schema: schema_of::<crate::image::Rectify>,
        build: crate::image::build_rectify,
    },
    #[cfg(feature = "images")]
    Entry {
        name: "image.warp",
        kind: StageKind::Worker,
        summary: "straightens a page by corners that somebody gave",
        schema: schema_of::<crate::image::Warp>,
        build: crate::image::build_warp,
    },
    #[cfg(feature = "text")]
    Entry {
        name: "language.detect",
        kind: StageKind::Worker,
        summary: "tells which language a text is in",
        schema: schema_of::<crate::text::LanguageSettings>,
        build: crate::text::build_language,
    },
    #[cfg(feature = "http")]
    Entry {
        name: "llm",
        kind: StageKind::Worker,
        summary: "asks a language model and keeps what it says",
        schema: schema_of::<crate::models::LlmSettings>,
        build: crate::models::build_llm,
    },
    Entry {
        name: "manual",
        kind: StageKind::Manual,
        summary: "waits for a person's answer",
        schema: schema_of::<Nothing>,
        build: |params| without_settings(params, Executor::Manual),
    },
    #[cfg(feature = "objects")]
    Entry {
        name: "objects",
        kind: StageKind::Source,
        summary: "makes a job of each object in a bucket",
        schema: schema_of::<crate::objects::Settings>,
        build: crate::objects::build,
    },
    #[cfg(feature = "objects")]
    Entry {
        name: "objects.write",
        kind: StageKind::Worker,
        summary: "puts a text, a file or the params into a bucket or a folder",
        schema: schema_of::<crate::objects::WriteSettings>,
        build: crate::objects::build_write,
    },
    Entry {
        name: "pass",
        kind: StageKind::Worker,
        summary: "does nothing: hands the params on",
        schema: schema_of::<Nothing>,
        build: pass::build,
    },
    #[cfg(feature = "documents")]
    Entry {
        name: "pdf.text",
        kind: StageKind::Worker,
        summary: "reads the text of a PDF",
        schema: schema_of::<crate::documents::PdfText>,
        build: crate::documents::build_pdf,
    },
    Entry {
        name: "pipeline",
        kind: StageKind::Worker,
        summary: "has a child of the job go through another pipeline",
        schema: schema_of::<sub_pipeline::Settings>,
        build: sub_pipeline::build,
    },
    #[cfg(feature = "documents")]
    Entry {
        name: "pptx.text",
        kind: StageKind::Worker,
        summary: "reads the text of slides",
        schema: schema_of::<crate::documents::PptxText>,
        build: crate::documents::build_pptx,
    },
    #[cfg(any(feature = "rabbitmq", feature = "redis"))]
    Entry {
        name: QUEUE,
        kind: StageKind::Source,
        summary: "makes a job of each message of somebody else's queue",
        schema: schema_of::<crate::queue::Settings>,
        build: crate::queue::build,
    },
    Entry {
        name: "remote",
        kind: StageKind::Remote,
        summary: "waits for a program in any language that asks a server for work",
        schema: schema_of::<Nothing>,
        build: |params| without_settings(params, Executor::Remote),
    },
    Entry {
        name: "split",
        kind: StageKind::Worker,
        summary: "makes a list of a text, an object or a longer list, for children",
        schema: schema_of::<lists::SplitSettings>,
        build: lists::build_split,
    },
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    Entry {
        name: "sql",
        kind: StageKind::Source,
        summary: "makes a job of each row of a query, as rows come",
        schema: schema_of::<crate::sql::Settings>,
        build: crate::sql::build,
    },
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    Entry {
        name: "sql.write",
        kind: StageKind::Worker,
        summary: "writes a row, or the rows of a list, into a database",
        schema: schema_of::<crate::sql::WriteSettings>,
        build: crate::sql::build_write,
    },
    #[cfg(feature = "text")]
    Entry {
        name: "text.chunk",
        kind: StageKind::Worker,
        summary: "cuts a text into pieces of a size",
        schema: schema_of::<crate::text::ChunkSettings>,
        build: crate::text::build_chunk,
    },
    Entry {
        name: WEBHOOK,
        kind: StageKind::Source,
        summary: "makes jobs of what somebody sends to the server",
        schema: schema_of::<webhook::Settings>,
        build: webhook::build,
    },
    #[cfg(feature = "documents")]
    Entry {
        name: "xlsx.rows",
        kind: StageKind::Worker,
        summary: "reads the rows of a sheet of Excel",
        schema: schema_of::<crate::documents::XlsxRows>,
        build: crate::documents::build_xlsx,
    },
];

/// A catalog of the ready-made executors and of handlers that the user registered.
#[derive(Clone, Default)]
pub struct Executors {
    handlers: BTreeMap<String, Arc<dyn Handler>>,
}

impl Executors {
    /// The ready-made executors.
    pub fn standard() -> Self {
        Self::default()
    }

    /// The ready-made executors with what is to be known of each, by name.
    pub fn entries() -> &'static [Entry] {
        READY_MADE
    }

    /// Adds a handler under a type of its own. It goes before a ready-made one of that name.
    #[must_use]
    pub fn with_handler(mut self, name: &str, handler: Arc<dyn Handler>) -> Self {
        self.handlers.insert(name.to_owned(), handler);
        self
    }
}

impl Catalog for Executors {
    fn kind(&self, stage_type: &str) -> Option<StageKind> {
        if self.handlers.contains_key(stage_type) {
            return Some(StageKind::Worker);
        }
        entry(stage_type).map(|entry| entry.kind)
    }

    fn is_hook(&self, stage_type: &str) -> bool {
        stage_type == WEBHOOK && !self.handlers.contains_key(stage_type)
    }

    fn look_every(&self, stage_type: &str) -> Option<Duration> {
        let is_queue = stage_type == QUEUE && !self.handlers.contains_key(stage_type);
        is_queue.then_some(QUEUE_EVERY)
    }

    fn names(&self) -> Vec<String> {
        let own = self.handlers.keys().cloned();
        let ready = READY_MADE.iter().map(|entry| entry.name.to_owned());
        let mut names: Vec<_> = own.chain(ready).collect();
        names.sort();
        names.dedup();
        names
    }

    fn types(&self) -> Vec<StageType> {
        let told = |name: String| {
            let own = self.handlers.contains_key(&name);
            let ready = entry(&name).filter(|_| !own);
            Some(StageType {
                kind: self.kind(&name)?,
                summary: ready.map(|entry| entry.summary.to_owned()),
                settings: ready.map(|entry| (entry.schema)()),
                name,
            })
        };
        self.names().into_iter().filter_map(told).collect()
    }

    fn build(&self, stage: &Stage) -> Result<Executor, Vec<String>> {
        if let Some(handler) = self.handlers.get(&stage.kind) {
            return Ok(Executor::Worker(Arc::clone(handler)));
        }
        match entry(&stage.kind) {
            Some(entry) => {
                let built = (entry.build)(&stage.settings)?;
                fields::check_mode(stage).map(|()| built)
            }
            None => Err(vec![format!("unknown type `{}`", stage.kind)]),
        }
    }
}

fn entry(name: &str) -> Option<&'static Entry> {
    READY_MADE.iter().find(|entry| entry.name == name)
}

fn without_settings(params: &Params, executor: Executor) -> Result<Executor, Vec<String>> {
    settings::read::<Nothing>(params).map(|Nothing {}| executor)
}
