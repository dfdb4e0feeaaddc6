//! The types that stages may have: the ready-made ones and the user's own handlers.

use std::collections::BTreeMap;
use std::sync::Arc;

use waystation_core::handler::Handler;
use waystation_core::pipeline::{Catalog, Executor, Stage, StageKind};

use crate::settings::Settings;
use crate::{exec, files, pass, sub_pipeline};

/// Makes a stage's code from its settings.
type Build = fn(&mut Settings<'_>) -> Option<Executor>;

/// The ready-made executors, by type.
const READY_MADE: &[(&str, StageKind, Build)] = &[
    ("exec", StageKind::Worker, exec::build),
    ("files", StageKind::Source, files::build_source),
    ("files.write", StageKind::Worker, files::build_write),
    #[cfg(feature = "images")]
    ("image.rectify", StageKind::Worker, crate::image::build_rectify),
    #[cfg(feature = "images")]
    ("image.warp", StageKind::Worker, crate::image::build_warp),
    ("foreign", StageKind::Foreign, build_foreign),
    ("manual", StageKind::Manual, build_manual),
    ("pass", StageKind::Worker, pass::build),
    ("pipeline", StageKind::Worker, sub_pipeline::build),
    ("remote", StageKind::Remote, build_remote),
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
        READY_MADE.iter().find(|(name, ..)| *name == stage_type).map(|(_, kind, _)| *kind)
    }

    fn names(&self) -> Vec<String> {
        let own = self.handlers.keys().cloned();
        let mut names: Vec<_> =
            own.chain(READY_MADE.iter().map(|(name, ..)| (*name).to_owned())).collect();
        names.sort();
        names.dedup();
        names
    }

    fn build(&self, stage: &Stage) -> Result<Executor, Vec<String>> {
        if let Some(handler) = self.handlers.get(&stage.kind) {
            return Ok(Executor::Worker(Arc::clone(handler)));
        }
        let found = READY_MADE.iter().find(|(name, ..)| *name == stage.kind);
        let Some((_, _, build)) = found else {
            return Err(vec![format!("unknown type `{}`", stage.kind)]);
        };
        let mut settings = Settings::new(&stage.settings);
        let built = build(&mut settings);
        let problems = settings.problems();
        match built {
            Some(executor) if problems.is_empty() => Ok(executor),
            _ => Err(problems),
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "one shape for every builder")]
fn build_manual(_settings: &mut Settings<'_>) -> Option<Executor> {
    Some(Executor::Manual)
}

#[expect(clippy::unnecessary_wraps, reason = "one shape for every builder")]
fn build_foreign(_settings: &mut Settings<'_>) -> Option<Executor> {
    Some(Executor::Foreign)
}

#[expect(clippy::unnecessary_wraps, reason = "one shape for every builder")]
fn build_remote(_settings: &mut Settings<'_>) -> Option<Executor> {
    Some(Executor::Remote)
}
