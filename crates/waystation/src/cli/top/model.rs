//! What the screen shows: what was fetched, and where the reader is in it.

use std::collections::HashMap;

use waystation::core::clock::Timestamp;
use waystation::server::access::Role;
use waystation::server::wire::Worker;

use super::rows::{self, Column, Row};
use super::snapshot::{Deed, Me, News, Snapshot};

/// What there is to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// Pipelines and their stages.
    Pipelines,
    /// Who works.
    Workers,
    /// What waits.
    Queues,
}

/// What keys mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They move and choose.
    Looking,
    /// They are letters of the filter.
    Filtering,
    /// They say yes or no.
    Confirming(Deed),
}

/// What the screen shows.
pub struct Model {
    /// Where it is looked: the store or server.
    pub place: String,
    /// Who looks.
    pub me: Me,
    /// What was fetched last.
    pub snapshot: Option<Snapshot>,
    /// Why it is old.
    pub trouble: Option<String>,
    /// What came of the last deed, or why there was none.
    pub said: Option<String>,
    /// What is looked at.
    pub tab: Tab,
    /// The pipeline that alone is looked at.
    pub inside: Option<String>,
    /// Only rows with this in them.
    pub filter: String,
    /// What keys mean.
    pub mode: Mode,
    /// Which row is chosen.
    pub chosen: usize,
    /// What each worker's processor time was, and since then.
    used: HashMap<String, Used>,
}

/// A worker's processor time.
#[derive(Clone, Copy)]
struct Used {
    told_at: Timestamp,
    seconds: f64,
    share: Option<f64>,
}

impl Tab {
    /// Every tab.
    pub const ALL: [Self; 3] = [Self::Pipelines, Self::Workers, Self::Queues];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pipelines => "pipelines",
            Self::Workers => "workers",
            Self::Queues => "queues",
        }
    }

    /// Its columns.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::Pipelines => &rows::PIPELINES,
            Self::Workers => &rows::WORKERS,
            Self::Queues => &rows::QUEUES,
        }
    }
}

impl Model {
    /// Nothing is known yet.
    pub fn new(place: String, me: Me) -> Self {
        Self {
            place,
            me,
            snapshot: None,
            trouble: None,
            said: None,
            tab: Tab::Pipelines,
            inside: None,
            filter: String::new(),
            mode: Mode::Looking,
            chosen: 0,
            used: HashMap::new(),
        }
    }

    /// Takes in what is told.
    pub fn take(&mut self, news: News) {
        match news {
            News::Snapshot(snapshot) => {
                self.used =
                    snapshot.workers.iter().filter_map(|worker| self.used(worker)).collect();
                self.snapshot = Some(*snapshot);
                self.trouble = None;
                self.choose(self.chosen);
            }
            News::Trouble(why) => self.trouble = Some(why),
            News::Said(what) => self.said = Some(what),
        }
    }

    /// How much of a processor a worker used between the last two times that it told so.
    fn used(&self, worker: &Worker) -> Option<(String, Used)> {
        let (told_at, seconds) = (worker.told_at.0, worker.cpu_seconds?);
        let share = match self.used.get(&worker.worker_id) {
            Some(before) if before.told_at == told_at => before.share,
            Some(before) => {
                let passed = told_at.since(before.told_at).as_secs_f64();
                (passed > 0.0).then(|| (seconds - before.seconds).max(0.0) / passed)
            }
            None => None,
        };
        Some((worker.worker_id.clone(), Used { told_at, seconds, share }))
    }

    /// The rows of the tab that are let through.
    pub fn rows(&self) -> Vec<Row> {
        self.rows_of(self.tab)
    }

    /// The rows of a tab that are let through.
    pub fn rows_of(&self, tab: Tab) -> Vec<Row> {
        let Some(snapshot) = &self.snapshot else { return Vec::new() };
        let mut rows = match tab {
            Tab::Pipelines => rows::pipelines(snapshot),
            Tab::Workers => rows::workers(snapshot, |worker| {
                self.used.get(&worker.worker_id).and_then(|used| used.share)
            }),
            Tab::Queues => rows::queues(snapshot),
        };
        if let Some(inside) = self.inside.as_ref().filter(|_| tab == Tab::Pipelines) {
            rows.retain(|row| row.pipeline.as_ref() == Some(inside));
        }
        let filter = self.filter.to_lowercase();
        rows.retain(|row| row.text.to_lowercase().contains(&filter));
        rows
    }

    /// Chooses a row, or the last one.
    pub fn choose(&mut self, index: usize) {
        self.chosen = index.min(self.rows().len().saturating_sub(1));
    }

    /// Whether who looks may pause.
    pub fn may_act(&self) -> bool {
        self.me.role >= Role::Operator
    }
}
