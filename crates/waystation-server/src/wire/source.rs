//! Sources and their crawls.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use waystation_core::schedule::Schedule;
use waystation_engine::sources::{self, Ask};

use super::{Moment, Pause};

/// A source of a pipeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Source {
    /// The pipeline.
    pub pipeline: String,
    /// The newest version of it, which is looked at here.
    pub version: u32,
    /// The stage.
    pub stage: String,
    /// What kind of source it is.
    #[serde(rename = "type")]
    pub source_type: String,
    /// The path that its items are brought to, where it never looks by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<String>,
    /// When it looks, in words, as the worker said that came to it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// How many seconds lie between two looks, where they follow an interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<f64>,
    /// When it is due. Absent where it is not by itself, and before anybody looked after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Moment>,
    /// Where it stands: its own note, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Value>,
    /// Who crawls it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crawler: Option<String>,
    /// The crawl that began last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_crawl: Option<Crawl>,
    /// How many of its looks failed since the last one that did not.
    pub failures: u32,
    /// What somebody asked of it that is not done yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<CrawlAsked>,
    /// The workers that look after it and told of themselves lately.
    pub workers: Vec<String>,
    /// What keeps it from discovering.
    pub pauses: Vec<Pause>,
}

/// One look of a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Crawl {
    /// Its name. Later ones have greater names.
    pub id: String,
    /// The version of the pipeline.
    pub version: u32,
    /// How it stands.
    pub state: CrawlState,
    /// Who looks.
    pub worker_id: String,
    /// Who asked for it, where somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it began.
    pub started_at: Moment,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Moment>,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// How many items it found.
    pub found: u64,
    /// How many of them became jobs.
    pub new: u64,
    /// How many are jobs already.
    pub skipped: u64,
    /// How many became no jobs, though they should have.
    pub failed: u64,
    /// The first of these, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<CrawlFault>,
    /// Why it failed, or did not come to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Where the source stood when it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// Where it stood at the end, or stands now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// How a crawl stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CrawlState {
    /// It looks.
    Running,
    /// It has looked at everything that there was.
    Completed,
    /// The source could not look.
    Failed,
    /// Its worker ended, or lost its lock, before it was through.
    Interrupted,
}

/// An item that became no job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CrawlFault {
    /// The item's id.
    pub item: String,
    /// Why.
    pub message: String,
}

/// A page of crawls, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CrawlPage {
    /// The crawls.
    pub crawls: Vec<Crawl>,
    /// What to ask with as `before` for the next page, where there may be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// That a source is to look now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "from_beginning": true }))]
pub struct CrawlRequest {
    /// Whether it is to start where it started when it never had looked before.
    #[serde(default)]
    pub from_beginning: bool,
    /// The checkpoint that it is to start at; where it stands unless this is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// Whether items that are jobs already are to become jobs again.
    #[serde(default)]
    pub again: bool,
}

/// What somebody asked of a source.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CrawlAsked {
    /// Who.
    pub by: String,
    /// When.
    pub at: Moment,
    /// Whether it is to start at its beginning.
    pub from_beginning: bool,
    /// The checkpoint that it is to start at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// Whether items that are jobs already are to become jobs again.
    pub again: bool,
}

impl CrawlRequest {
    /// What is asked, by somebody.
    pub fn ask(self, by: &str) -> Ask {
        let checkpoint = self.from.map(sources::Start::Checkpoint);
        let beginning = self.from_beginning.then_some(sources::Start::Beginning);
        let (by, from) = (by.to_owned(), beginning.or(checkpoint));
        Ask { by, from, again: self.again, ..Ask::default() }
    }
}

impl From<Ask> for CrawlAsked {
    fn from(ask: Ask) -> Self {
        let (from_beginning, from) = match ask.from {
            None => (false, None),
            Some(sources::Start::Beginning) => (true, None),
            Some(sources::Start::Checkpoint(value)) => (false, Some(value)),
        };
        Self { by: ask.by, at: ask.at.into(), from_beginning, from, again: ask.again }
    }
}

impl From<sources::Crawl> for Crawl {
    fn from(crawl: sources::Crawl) -> Self {
        let lasted = crawl.ended_at.map(|ended| ended.since(crawl.started_at).as_millis());
        let fault = |fault: sources::Fault| CrawlFault { item: fault.item, message: fault.message };
        Self {
            id: crawl.id,
            version: crawl.version,
            state: crawl.state.into(),
            worker_id: crawl.worker_id,
            by: crawl.by,
            started_at: crawl.started_at.into(),
            ended_at: crawl.ended_at.map(Moment::from),
            duration_ms: lasted.and_then(|ms| u64::try_from(ms).ok()),
            found: crawl.tally.found,
            new: crawl.tally.new,
            skipped: crawl.tally.skipped,
            failed: crawl.tally.failed,
            faults: crawl.tally.faults.into_iter().map(fault).collect(),
            failure: crawl.failure,
            from: crawl.from,
            to: crawl.to,
        }
    }
}

impl From<sources::CrawlState> for CrawlState {
    fn from(state: sources::CrawlState) -> Self {
        match state {
            sources::CrawlState::Running => Self::Running,
            sources::CrawlState::Completed => Self::Completed,
            sources::CrawlState::Failed => Self::Failed,
            sources::CrawlState::Interrupted => Self::Interrupted,
        }
    }
}

impl CrawlState {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The seconds of a schedule that follows an interval.
pub fn interval_seconds(schedule: &Schedule) -> Option<f64> {
    match schedule {
        Schedule::Every(interval) => Some(interval.as_secs_f64()),
        Schedule::Calendar(_) | Schedule::OnDemand => None,
    }
}
