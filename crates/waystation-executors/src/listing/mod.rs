//! Sources that look through a listing: files of a folder, objects of a bucket.
//!
//! A look goes through everything that there is, in one order. Where it stands is in the checkpoint
//! (`after`), so that whoever goes on after a crash, or after a look that took all it may
//! (`max_results`), begins behind what is done; the look after that begins at the front again.
//!
//! What was told is remembered, so that the store need not be asked about everything at each look.
//! That memory holds only while the checkpoint is the one that was given last: it carries a mark
//! that no other has. Another one says that what was told last became no jobs (the lock was lost),
//! that somebody else looked meanwhile, or that somebody wants to begin elsewhere.

mod order;
mod selection;

use std::collections::HashSet;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use waystation_core::failure::Failure;
use waystation_core::id::time_ordered;
use waystation_core::source::{BATCH_MAX, Discovery, Fault, Item, Source};

pub use order::{Order, SortBy};
pub use selection::{Facts, Selection, endings};

/// The most things that are remembered as told; the store tells the others apart.
const TOLD_MAX: usize = 1_000_000;
/// So many things are gone through at most before a batch is given, though it be empty: then the
/// checkpoint says how far the look is.
const SCANNED_MAX: usize = 50_000;
/// The most faults of a batch.
const FAULTS_MAX: usize = 100;

/// Something in a listing.
#[derive(Clone, Debug)]
pub struct Thing<T> {
    /// Where it stands in the order of the listing.
    pub place: String,
    /// Tells it from others, and from itself after it changed.
    pub id: String,
    /// What the finder makes an item of.
    pub what: T,
}

/// What comes of going on with a listing.
pub type Found<T> = Result<Thing<T>, Fault>;

/// What goes through a listing.
#[async_trait]
pub trait Finder: Send + Sync {
    /// What it makes items of.
    type What: Send + Sync + 'static;

    /// Everything there is behind this place, in order. An error of the stream ends the look.
    async fn look(
        &self,
        after: Option<String>,
    ) -> Result<BoxStream<'static, Result<Found<Self::What>, Failure>>, Failure>;

    /// Where a look begins after one that ended at this place, where nothing appears before it.
    fn begins_again(&self, last: String) -> String {
        last
    }

    /// Makes an item; `None` where the thing went away meanwhile.
    async fn item(&self, thing: Thing<Self::What>) -> Result<Option<Item>, Fault>;
}

/// How much one look takes, and where the next one begins.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// The most items of one look.
    pub results_max: Option<usize>,
    /// Whether nothing new ever appears before what was found already.
    pub append_only: bool,
}

/// A source over a finder.
pub struct Lister<F: Finder> {
    finder: F,
    bounds: Bounds,
    memory: Mutex<Memory<F::What>>,
}

/// What this process remembers while the checkpoint is its own.
struct Memory<T> {
    mark: Option<String>,
    told: HashSet<u128>,
    look: Option<Look<T>>,
}

/// A look under way.
struct Look<T> {
    found: BoxStream<'static, Result<Found<T>, Failure>>,
    /// What there is, where the look goes through all that another one will.
    seen: Option<HashSet<u128>>,
    taken: usize,
}

/// Where the source stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Checkpoint {
    /// The place of what was found last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<String>,
    /// The look goes on after this place; at the front where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
    /// No other checkpoint has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<String>,
}

/// How going on with a look ended.
#[derive(PartialEq)]
enum Stop {
    /// There is nothing left.
    End,
    /// The batch is full.
    Batch,
    /// The listing broke off: what there is of the batch is given, and the next call begins again
    /// behind it.
    Broken,
    /// The look took all it may.
    Bound,
}

impl<F: Finder> Lister<F> {
    /// A source over this finder.
    pub fn new(finder: F, bounds: Bounds) -> Self {
        let memory = Memory { mark: None, told: HashSet::new(), look: None };
        Self { finder, bounds, memory: Mutex::new(memory) }
    }

    async fn begin(&self, after: Option<String>) -> Result<Look<F::What>, Failure> {
        let seen = (after.is_none() || self.bounds.append_only).then(HashSet::new);
        Ok(Look { found: self.finder.look(after).await?, seen, taken: 0 })
    }

    /// Goes on with a look. What it tells is added to `told`, its last place to `at`.
    async fn go_on(
        &self,
        look: &mut Look<F::What>,
        known: &HashSet<u128>,
        batch: &mut Batch,
    ) -> Result<Stop, Failure> {
        for _ in 0..SCANNED_MAX {
            if batch.items.len() == BATCH_MAX || batch.faults.len() == FAULTS_MAX {
                return Ok(Stop::Batch);
            }
            if self.bounds.results_max.is_some_and(|most| look.taken >= most) {
                return Ok(Stop::Bound);
            }
            let thing = match look.found.next().await {
                None => return Ok(Stop::End),
                Some(Err(_)) if !batch.items.is_empty() => return Ok(Stop::Broken),
                Some(Err(failure)) => return Err(failure),
                Some(Ok(Err(fault))) => {
                    batch.faults.push(fault);
                    continue;
                }
                Some(Ok(Ok(thing))) => thing,
            };
            batch.at = Some(thing.place.clone());
            let key = key_of(&thing.id);
            if let Some(seen) = &mut look.seen {
                seen.insert(key);
            }
            if known.contains(&key) {
                continue;
            }
            match self.finder.item(thing).await {
                Ok(None) => {}
                Ok(Some(item)) => {
                    look.taken += 1;
                    batch.told.push(key);
                    batch.items.push(item);
                }
                Err(fault) => batch.faults.push(fault),
            }
        }
        Ok(Stop::Batch)
    }
}

/// What is gathered for one answer.
#[derive(Default)]
struct Batch {
    items: Vec<Item>,
    faults: Vec<Fault>,
    told: Vec<u128>,
    at: Option<String>,
}

#[async_trait]
impl<F: Finder> Source for Lister<F> {
    async fn discover(&self, checkpoint: Option<Value>) -> Result<Discovery, Failure> {
        let from: Checkpoint =
            checkpoint.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default();
        let mut memory = self.memory.lock().await;
        if memory.mark != from.mark {
            *memory = Memory { mark: from.mark.clone(), told: HashSet::new(), look: None };
        }
        // Whoever drops this call drops the look with it: it is begun again where it stood.
        let mut look = match memory.look.take() {
            Some(look) => look,
            None => self.begin(from.after.clone()).await?,
        };
        let mut batch = Batch::default();
        let stop = self.go_on(&mut look, &memory.told, &mut batch).await?;
        let room = TOLD_MAX.saturating_sub(memory.told.len());
        memory.told.extend(batch.told.into_iter().take(room));
        let at = batch.at.or_else(|| from.after.clone());
        let after = match stop {
            Stop::End if self.bounds.append_only => {
                at.clone().map(|last| self.finder.begins_again(last))
            }
            Stop::End => None,
            Stop::Batch | Stop::Broken | Stop::Bound => at.clone(),
        };
        let last = if batch.items.is_empty() { from.last } else { at };
        let more = matches!(stop, Stop::Batch | Stop::Broken);
        match (stop, look.seen.take()) {
            (Stop::Batch, seen) => memory.look = Some(Look { seen, ..look }),
            (Stop::End, Some(seen)) => memory.told.retain(|key| seen.contains(key)),
            (Stop::End | Stop::Broken | Stop::Bound, _) => {}
        }
        let stands = batch.items.is_empty() && after == from.after;
        let checkpoint = (!stands).then(|| {
            let mark = Some(time_ordered());
            memory.mark.clone_from(&mark);
            json!(Checkpoint { last, after, mark })
        });
        let Batch { items, faults, .. } = batch;
        Ok(Discovery { items, faults, checkpoint, more, ..Discovery::default() })
    }
}

fn key_of(id: &str) -> u128 {
    let digest = Sha256::digest(id.as_bytes());
    digest.iter().take(16).fold(0, |key, byte| key << 8 | u128::from(*byte))
}

/// Bytes as a text.
pub fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests;
