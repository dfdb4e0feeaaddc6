//! The source: takes batches for as long as a look lasts, and acknowledges what is stored.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::Value;
use waystation_core::failure::Failure;
use waystation_core::source::{Discovery, Fault, Source};

use super::message::Shape;
use super::{Line, Unparsable};

/// How much a look takes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The most messages of a batch.
    pub batch: usize,
    /// How long the first one is waited for.
    pub wait: Duration,
    /// How long a look goes on while messages come.
    pub look: Duration,
}

/// Takes messages of a queue.
pub struct Taker {
    line: Box<dyn Line>,
    shape: Shape,
    unparsable: Unparsable,
    bounds: Bounds,
    look: Mutex<Look>,
}

/// A look under way.
#[derive(Default)]
struct Look {
    /// When it began.
    since: Option<Instant>,
    /// What the last batch is acknowledged by, by the items' ids. The same id may come twice.
    receipts: HashMap<String, Vec<String>>,
}

impl Taker {
    /// A source over this queue.
    pub fn new(line: Box<dyn Line>, shape: Shape, unparsable: Unparsable, bounds: Bounds) -> Self {
        Self { line, shape, unparsable, bounds, look: Mutex::default() }
    }

    fn look(&self) -> MutexGuard<'_, Look> {
        self.look.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Source for Taker {
    async fn discover(&self, _: Option<Value>) -> Result<Discovery, Failure> {
        let since = *self.look().since.get_or_insert_with(Instant::now);
        let messages = self.line.take(self.bounds.batch, self.bounds.wait).await?;
        let mut found = Discovery {
            more: !messages.is_empty() && since.elapsed() < self.bounds.look,
            ..Discovery::default()
        };
        let mut receipts: HashMap<String, Vec<String>> = HashMap::new();
        for message in messages {
            let id = match self.shape.item(&message) {
                Ok(item) => {
                    let id = item.id.clone();
                    found.items.push(item);
                    id
                }
                Err(failure) if self.unparsable == Unparsable::Dead => {
                    let letter = self.shape.letter(&message, failure);
                    let id = letter.item.id.clone();
                    found.letters.push(letter);
                    id
                }
                Err(failure) => {
                    self.line.reject(&message, &failure.message).await?;
                    let what = message.id.unwrap_or(message.receipt);
                    found.faults.push(Fault { what, message: failure.to_string() });
                    continue;
                }
            };
            receipts.entry(id).or_default().push(message.receipt);
        }
        self.look().receipts = receipts;
        Ok(found)
    }

    fn takes(&self) -> bool {
        true
    }

    async fn stored(&self, item_ids: &[String]) -> Result<(), Failure> {
        let receipts: Vec<String> = {
            let mut look = self.look();
            item_ids.iter().filter_map(|id| look.receipts.remove(id)).flatten().collect()
        };
        self.line.done(&receipts).await
    }

    async fn rest(&self) {
        *self.look() = Look::default();
        self.line.rest().await;
    }
}
