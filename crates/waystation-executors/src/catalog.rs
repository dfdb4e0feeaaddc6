//! The types that stages may have: the ready-made ones and the user's own handlers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use waystation_core::Params;
use waystation_core::handler::Handler;
use waystation_core::pipeline::{Catalog, Executor, Stage, StageKind, StageType};

use crate::settings::{self, Nothing, Setting, schema_of};
use crate::{exec, files, pass, sub_pipeline, webhook};

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
        name: "exec",
        kind: StageKind::Worker,
        summary: "runs a program: contract on stdin, params from the last stdout line",
        schema: schema_of::<exec::Settings>,
        build: exec::build,
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
    Entry {
        name: "pass",
        kind: StageKind::Worker,
        summary: "does nothing: hands the params on",
        schema: schema_of::<Nothing>,
        build: pass::build,
    },
    Entry {
        name: "pipeline",
        kind: StageKind::Worker,
        summary: "has a child of the job go through another pipeline",
        schema: schema_of::<sub_pipeline::Settings>,
        build: sub_pipeline::build,
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
    #[cfg(any(feature = "postgres", feature = "sqlite"))]
    Entry {
        name: "sql",
        kind: StageKind::Source,
        summary: "makes a job of each row of a query, as rows come",
        schema: schema_of::<crate::sql::Settings>,
        build: crate::sql::build,
    },
    Entry {
        name: WEBHOOK,
        kind: StageKind::Source,
        summary: "makes jobs of what somebody sends to the server",
        schema: schema_of::<webhook::Settings>,
        build: webhook::build,
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
            Some(entry) => (entry.build)(&stage.settings),
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
