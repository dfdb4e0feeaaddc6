//! Code behind a source stage: finds items and makes a job of each. ContentFlow's source workers
//! crawl so; here the checkpoint is written together with the jobs, so that nothing is lost.

use async_trait::async_trait;
use serde_json::Value;

use crate::Params;
use crate::failure::Failure;

/// Something that a source found.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Tells this item from every other one, and stays the same however often it is found: the
    /// same id makes one job only.
    pub id: String,
    /// The params that its job starts with.
    pub params: Params,
}

/// Something that a source could not make an item of. It stops no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it is: a name, a place.
    pub what: String,
    /// Why.
    pub message: String,
}

/// One batch of what a source found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovery {
    /// The items. More than [`BATCH_MAX`] are committed in several parts, the checkpoint with the
    /// last of them.
    pub items: Vec<Item>,
    /// What became no item.
    pub faults: Vec<Fault>,
    /// Where the source stands once these items are jobs. Written together with them.
    pub checkpoint: Option<Value>,
    /// Whether another batch follows at once.
    pub more: bool,
}

/// The most items that are committed together.
pub const BATCH_MAX: usize = 500;

/// Code behind a source stage.
#[async_trait]
pub trait Source: Send + Sync {
    /// Finds the next batch after this checkpoint (`None` at the very first time). It may be
    /// asked again for what it already told: item ids make that harmless.
    async fn discover(&self, checkpoint: Option<Value>) -> Result<Discovery, Failure>;
}
