//! What is kept of sources in the store's records: how each stands, what somebody asked of it, and
//! its crawls.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{Error, Expected, Put, RecordPage, Records};
use waystation_core::schedule::Schedule;

use crate::control::collection;

/// When each source looks.
const PLANS: &str = "source-plans";
/// How each source stands.
const STATES: &str = "sources";
/// What somebody asked of it.
const ASKS: &str = "crawl-requests";
/// The crawls of a source lie in a collection of their own, with its name behind this.
const CRAWLS: &str = "crawls";
/// How long a crawl is kept that has ended.
const KEPT: Duration = Duration::from_hours(24 * 30);
/// The most items that a crawl tells of, that made no job.
pub const FAULTS_MAX: usize = 20;

/// A source of a pipeline, whatever the version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceId {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// The stage.
    pub stage: StageId,
}

/// When a source looks, as the worker said that came to it last: others may not know what the
/// stages of a pipeline are told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// When.
    pub schedule: Schedule,
    /// The version of its pipeline.
    pub version: u32,
}

/// How a source stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// When it was first seen.
    pub seen: Timestamp,
    /// When the last look began that came to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Timestamp>,
    /// The crawl that began last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crawl: Option<String>,
    /// How many looks failed since the last one that did not.
    #[serde(default)]
    pub failures: u32,
    /// When the last of them did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
}

/// That somebody wants a source to look now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Who.
    pub by: String,
    /// When they said so.
    pub at: Timestamp,
    /// From where it is to look; from where it stands unless this is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Start>,
    /// Whether items that are jobs already are to become jobs again.
    #[serde(default)]
    pub again: bool,
}

/// Where a crawl starts that somebody asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Where the source starts that never looked before.
    Beginning,
    /// At a checkpoint that it had.
    Checkpoint(Value),
}

/// One look of a source, from its beginning to its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crawl {
    /// Its name. Later ones have greater names.
    pub id: String,
    /// The source.
    #[serde(flatten)]
    pub source: SourceId,
    /// The version of its pipeline.
    pub version: u32,
    /// How it stands.
    pub state: CrawlState,
    /// Who looks.
    pub worker_id: String,
    /// Who asked for it, where somebody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What it found.
    #[serde(flatten)]
    pub tally: Tally,
    /// Why it failed.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CrawlState {
    /// It looks.
    Running,
    /// It has looked at everything that there was.
    Completed,
    /// The source could not look.
    Failed,
    /// Its worker ended, or lost its lock, before it was through. The next one goes on from the
    /// last checkpoint.
    Interrupted,
}

/// What a crawl found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How many items.
    pub found: u64,
    /// How many of them became jobs.
    pub new: u64,
    /// How many are jobs already.
    pub skipped: u64,
    /// How many became no jobs, though they should have.
    pub failed: u64,
    /// The first [`FAULTS_MAX`] of these, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// An item that became no job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The item's id.
    pub item: String,
    /// Why.
    pub message: String,
}

/// A page of the crawls of a source, newest first.
#[derive(Clone, Debug, Default)]
pub struct CrawlPage {
    /// Only those before this one.
    pub before: Option<String>,
    /// At most so many.
    pub limit: usize,
}

impl SourceId {
    /// Its key: also the name of its checkpoint.
    pub fn key(&self) -> String {
        format!("{}/{}", self.pipeline, self.stage)
    }

    /// The name of its lock.
    pub fn lock(&self) -> String {
        format!("source/{}", self.key())
    }

    fn crawls(&self) -> String {
        format!("{CRAWLS}/{}", self.key())
    }
}

impl State {
    /// A source that was never seen before.
    pub fn new(seen: Timestamp) -> Self {
        Self { seen, last: None, crawl: None, failures: 0, failed_at: None }
    }
}

impl Tally {
    /// An item became no job.
    pub fn fault(&mut self, item: impl Into<String>, message: String) {
        self.failed += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault { item: item.into(), message });
        }
    }
}

/// A value with the revision that it was read at.
pub struct Read<T> {
    /// The value.
    pub value: T,
    /// Its revision.
    pub revision: u64,
}

/// When a source looks, where a worker has said so.
pub async fn plan(records: &dyn Records, id: &SourceId) -> Result<Option<Plan>, Error> {
    Ok(read(records, PLANS, &id.key()).await?.map(|read| read.value))
}

/// Says when a source looks.
pub async fn put_plan(records: &dyn Records, id: &SourceId, plan: &Plan) -> Result<(), Error> {
    let value = collection::written(PLANS, plan)?;
    records.put_record(PLANS, &id.key(), &value, Expected::Any, None).await.map(drop)
}

/// How a source stands.
pub async fn state(records: &dyn Records, id: &SourceId) -> Result<Option<Read<State>>, Error> {
    read(records, STATES, &id.key()).await
}

/// Writes how a source stands. `None` where another did so meanwhile.
pub async fn put_state(
    records: &dyn Records,
    id: &SourceId,
    state: &State,
    expected: Expected,
) -> Result<Option<u64>, Error> {
    let value = collection::written(STATES, state)?;
    let put = records.put_record(STATES, &id.key(), &value, expected, None).await?;
    Ok(match put {
        Put::Kept(revision) => Some(revision),
        Put::Conflict => None,
    })
}

/// What somebody asked of a source.
pub async fn ask(records: &dyn Records, id: &SourceId) -> Result<Option<Read<Ask>>, Error> {
    read(records, ASKS, &id.key()).await
}

/// Writes down what is asked of a source, in the place of what was asked before.
pub async fn put_ask(records: &dyn Records, id: &SourceId, ask: &Ask) -> Result<(), Error> {
    let value = collection::written(ASKS, ask)?;
    records.put_record(ASKS, &id.key(), &value, Expected::Any, None).await.map(drop)
}

/// Notes that it was done. What was asked since stays.
pub async fn end_ask(records: &dyn Records, id: &SourceId, revision: u64) -> Result<(), Error> {
    records.remove_record(ASKS, &id.key(), Expected::Revision(revision)).await.map(drop)
}

/// A crawl.
pub async fn crawl(
    records: &dyn Records,
    id: &SourceId,
    crawl_id: &str,
) -> Result<Option<Crawl>, Error> {
    Ok(read(records, &id.crawls(), crawl_id).await?.map(|read| read.value))
}

/// Writes a crawl.
pub async fn put_crawl(records: &dyn Records, crawl: &Crawl) -> Result<(), Error> {
    let collection = crawl.source.crawls();
    let value = collection::written(&collection, crawl)?;
    let gone = crawl.ended_at.map(|ended| ended.plus(KEPT));
    records.put_record(&collection, &crawl.id, &value, Expected::Any, gone).await.map(drop)
}

/// A page of the crawls of a source.
pub async fn crawls(
    records: &dyn Records,
    id: &SourceId,
    page: CrawlPage,
) -> Result<Vec<Crawl>, Error> {
    let collection = id.crawls();
    let limit = page.limit.min(PAGE_MAX);
    let page = RecordPage { descending: true, after: page.before, limit };
    let found = records.records(&collection, page).await?;
    Ok(found.into_iter().filter_map(|record| collection::read(&collection, record)).collect())
}

async fn read<T: serde::de::DeserializeOwned>(
    records: &dyn Records,
    collection: &str,
    key: &str,
) -> Result<Option<Read<T>>, Error> {
    let Some(record) = records.record(collection, key).await? else { return Ok(None) };
    let revision = record.revision;
    Ok(collection::read(collection, record).map(|value| Read { value, revision }))
}
