//! Operations as they are kept.

use std::time::Duration;

use waystation_core::id::time_ordered;
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{self, Expected, Put, RecordPage, Records, Signal};

use super::{Error, Kind, Operation, Page, Request, State, dry_run};
use crate::backend::Backend;
use crate::control::collection;

/// Where they lie.
const COLLECTION: &str = "operations";
/// How long one is kept that has ended.
const KEPT: Duration = Duration::from_hours(24 * 30);
/// How often is tried to write over others who write, too.
const TRIES_MAX: usize = 20;

/// An operation as it was read.
pub struct Read {
    /// What it says.
    pub operation: Operation,
    /// When.
    pub revision: u64,
}

/// Begins one. Some server works at it from now on.
pub async fn start(backend: &Backend, request: Request) -> Result<Operation, Error> {
    let Request { kind, selection, by, reason } = request;
    let why = if let Kind::Abort { reason } = &kind { reason } else { &reason };
    if why.trim().is_empty() {
        return Err(Error::NoReason);
    }
    let selection = selection.narrowed(&kind)?;
    let matched = dry_run(&*backend.store, &selection).await?;
    let now = backend.clock.now();
    let operation = Operation {
        id: time_ordered(),
        selection: selection.up_to(now),
        kind,
        by,
        reason,
        state: State::Running,
        matched,
        looked_at: 0,
        done: 0,
        skipped: 0,
        failed: 0,
        errors: Vec::new(),
        cursor: None,
        created_at: now,
        updated_at: now,
        ended_at: None,
        owner: None,
        owner_until: None,
    };
    put(&*backend.records, &operation, Expected::Absent).await?;
    backend.bus.publish(Signal::Changed);
    Ok(operation)
}

/// Ends one before its time: the page that a server works at is the last.
pub async fn cancel(backend: &Backend, id: &str) -> Result<Operation, Error> {
    for _ in 0..TRIES_MAX {
        let found = find(&*backend.records, id).await?;
        let Some(Read { mut operation, revision }) = found else { break };
        if operation.state != State::Running {
            return Err(Error::Ended { id: id.to_owned(), state: operation.state });
        }
        let now = backend.clock.now();
        operation.state = State::Cancelled;
        (operation.updated_at, operation.ended_at) = (now, Some(now));
        let kept = put(&*backend.records, &operation, Expected::Revision(revision)).await?;
        if let Put::Kept(_) = kept {
            backend.bus.publish(Signal::Changed);
            return Ok(operation);
        }
    }
    Err(Error::Unknown(id.to_owned()))
}

/// One operation.
pub async fn read(records: &dyn Records, id: &str) -> Result<Option<Operation>, port::Error> {
    Ok(find(records, id).await?.map(|read| read.operation))
}

/// A page of them.
pub async fn list(records: &dyn Records, page: Page) -> Result<Vec<Operation>, port::Error> {
    Ok(all(records, page).await?.into_iter().map(|read| read.operation).collect())
}

/// Those that are not over, oldest first.
pub async fn running(records: &dyn Records) -> Result<Vec<Read>, port::Error> {
    let all = all(records, Page { before: None, limit: PAGE_MAX }).await?;
    let running = all.into_iter().filter(|read| read.operation.state == State::Running);
    let mut running: Vec<_> = running.collect();
    running.reverse();
    Ok(running)
}

/// One operation with its revision.
pub async fn find(records: &dyn Records, id: &str) -> Result<Option<Read>, port::Error> {
    Ok(records.record(COLLECTION, id).await?.and_then(as_read))
}

/// Writes one, if what is expected is there.
pub async fn put(
    records: &dyn Records,
    operation: &Operation,
    expected: Expected,
) -> Result<Put, port::Error> {
    let value = collection::written(COLLECTION, operation)?;
    let gone = operation.ended_at.map(|ended| ended.plus(KEPT));
    records.put_record(COLLECTION, &operation.id, &value, expected, gone).await
}

async fn all(records: &dyn Records, page: Page) -> Result<Vec<Read>, port::Error> {
    let limit = page.limit.min(PAGE_MAX);
    let page = RecordPage { descending: true, after: page.before, limit };
    let found = records.records(COLLECTION, page).await?;
    Ok(found.into_iter().filter_map(as_read).collect())
}

fn as_read(record: port::Record) -> Option<Read> {
    let revision = record.revision;
    Some(Read { operation: collection::read(COLLECTION, record)?, revision })
}
