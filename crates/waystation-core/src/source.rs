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

/// Something that a source had to take and that no stage can work on. It becomes a failed job, so
/// that it lies with the dead letters, and stops no other.
#[derive(Clone, Debug, PartialEq)]
pub struct Letter {
    /// As much of it as there is: its params are the job's.
    pub item: Item,
    /// Why.
    pub failure: Failure,
}

/// One batch of what a source found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Discovery {
    /// The items. More than [`BATCH_MAX`] are committed in several parts, the checkpoint with the
    /// last of them.
    pub items: Vec<Item>,
    /// What became no item.
    pub faults: Vec<Fault>,
    /// What is for the dead letters.
    pub letters: Vec<Letter>,
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

    /// Whether what it finds is taken from somebody who forgets it once told that it is stored, as
    /// with a queue. Items of such a source that can become no jobs lie with the dead letters.
    fn takes(&self) -> bool {
        false
    }

    /// Tells which items of the last batch are durable, as jobs or as dead letters: only now may
    /// they be forgotten where they came from. Called after the commit, and only where the source
    /// [`takes`](Self::takes); a process that ends in between never calls it, and the items are
    /// found again. What is not named is not stored, and must be found again, too.
    async fn stored(&self, item_ids: &[String]) -> Result<(), Failure> {
        let _ = item_ids;
        Ok(())
    }

    /// Tells that a crawl is over, however it ended: what was taken and not told of as stored is to
    /// be given back. Also called where there was nothing.
    async fn rest(&self) {}
}
