//! What there is to be seen at a moment, and who fetches it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use waystation::server::access::Role;
use waystation::server::wire::{Overview, Queue, Worker};

use crate::cli::overview;
use crate::cli::pauses::Target;
use crate::cli::site::{Query, Refusal, Site};

/// How often everything is fetched.
const INTERVAL: Duration = Duration::from_secs(1);
/// Rates, failures and latencies are of this minute and so many before it.
const MINUTES: u32 = 1;

/// What there is to be seen at a moment.
#[derive(Clone, Debug, Serialize)]
pub struct Snapshot {
    /// Pipelines and stages.
    pub overview: Overview,
    /// Who works.
    pub workers: Vec<Worker>,
    /// What waits.
    pub queues: Vec<Queue>,
}

/// Who looks, and what they may do.
#[derive(Clone, Debug, Deserialize)]
pub struct Me {
    /// Their name.
    pub name: String,
    /// Their role.
    pub role: Role,
}

/// What somebody decided at the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Nothing new is to begin there.
    Pause(Target),
    /// It is to go on.
    Resume(Target),
}

/// What the screen is told.
#[derive(Debug)]
pub enum News {
    /// This is to be seen now.
    Snapshot(Box<Snapshot>),
    /// It cannot be fetched; what is there stays.
    Trouble(String),
    /// What came of a deed.
    Said(String),
}

impl Snapshot {
    /// Fetches it.
    pub async fn fetch(site: &Site) -> Result<Self, Refusal> {
        let all = Query::default();
        let (overview, workers, queues) = tokio::try_join!(
            overview::look(MINUTES, site),
            site.get(&["workers"], &all),
            site.get(&["queues"], &all),
        )?;
        Ok(Self { overview, workers, queues })
    }
}

/// Who looks.
pub async fn me(site: &Site) -> Result<Me, Refusal> {
    site.get(&["me"], &Query::default()).await
}

/// Fetches everything again and again, and does what is decided, until nobody listens.
pub async fn feed(site: Arc<Site>, mut deeds: mpsc::Receiver<Deed>, news: mpsc::Sender<News>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            deed = deeds.recv() => {
                let Some(deed) = deed else { return };
                let said = do_it(&deed, &site).await;
                if news.send(News::Said(said)).await.is_err() {
                    return;
                }
            }
        }
        let told = match Snapshot::fetch(&site).await {
            Ok(snapshot) => News::Snapshot(Box::new(snapshot)),
            Err(refusal) => News::Trouble(refusal.to_string()),
        };
        if news.send(told).await.is_err() {
            return;
        }
    }
}

async fn do_it(deed: &Deed, site: &Site) -> String {
    let done = match deed {
        Deed::Pause(target) => target.pause("", site).await.map(|_| (target, "is paused")),
        Deed::Resume(target) => target.resume(site).await.map(|_| (target, "goes on")),
    };
    match done {
        Ok((target, text)) => format!("{} {text}", target.words()),
        Err(refusal) => refusal.to_string(),
    }
}
