//! Sources: what finds items by itself and makes jobs of them.
//!
//! A source's worker waits until the source is due ([`due`]), takes its lock, and crawls: batch by
//! batch it has the source discover, and submits what was found together with the checkpoint that
//! covers it. When a source is due, what somebody asked of it and what its crawls found lies in the
//! store's records ([`kept`]), so that any number of workers on any number of hosts crawl each
//! source once when it is due, one at a time. What is found under a lock that is lost meanwhile is
//! refused by the store.

mod crawl;
mod due;
mod item;
mod kept;
mod letters;
mod worker;

pub use kept::{
    Ask, Crawl, CrawlPage, CrawlState, FAULTS_MAX, Fault, SourceId, Start, State, Tally,
};

pub(crate) use due::due;
pub(crate) use item::plan as plan_item;
pub(crate) use kept::{ask, crawl, crawls, plan, put_ask, state};
pub(crate) use worker::{Ended, SourceWorker};
