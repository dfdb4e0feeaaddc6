//! Works at operations: takes one that nobody works at, goes on where it stood, page by page.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use waystation_core::clock::Timestamp;
use waystation_core::id::JobId;
use waystation_core::job::JobRecord;
use waystation_core::port::{self, Expected, Put, Signal};

use super::act::{Fate, act};
use super::store::{self, Read};
use super::{ERRORS_MAX, JobFault, Operation, State};
use crate::client::Client;
use crate::control::{changed, host, worker_id};

/// How long a server that says nothing keeps an operation from the others.
const OWNED_FOR: Duration = Duration::from_secs(30);
/// How often it says that it goes on, where a page takes so long.
const RENEWED_AFTER: Duration = Duration::from_secs(10);
/// How many jobs are looked at between two writes of how far it is.
const PAGE: usize = 200;
/// How many of them are acted on at a time, so that their commits are shared.
const AT_A_TIME: usize = 64;
/// How many operations one server works at.
const OPERATIONS_AT_A_TIME: usize = 4;
/// How often is looked for operations, should no signal come; and the least time between two looks.
const INTERVAL: Duration = Duration::from_secs(5);
const GAP: Duration = Duration::from_millis(200);
/// The wait after the store failed.
const PAUSE: Duration = Duration::from_secs(1);

/// Works at operations until it is to stop. What it has begun then goes on elsewhere, or here after
/// the next start.
pub async fn run(client: Client, stop: CancellationToken) {
    let runner = Runner { owner: worker_id(&host(), std::process::id()), client, stop };
    let mut working = JoinSet::new();
    let mut ids = BTreeSet::new();
    while !runner.stop.is_cancelled() {
        let mut signals = runner.client.backend().bus.subscribe();
        let free = OPERATIONS_AT_A_TIME - working.len();
        match runner.claim(&ids, free).await {
            Ok(claimed) => {
                for read in claimed {
                    let (runner, id) = (runner.clone(), read.operation.id.clone());
                    ids.insert(id.clone());
                    working.spawn(async move {
                        runner.work(read).await;
                        id
                    });
                }
            }
            Err(error) => tracing::debug!(%error, "operations are not known"),
        }
        tokio::select! {
            () = runner.stop.cancelled() => {}
            Some(ended) = working.join_next() => drop(ended.map(|id| ids.remove(&id))),
            _ = tokio::time::timeout(INTERVAL, changed(&mut signals)) => {}
        }
        let _ = runner.stop.run_until_cancelled(tokio::time::sleep(GAP)).await;
    }
    while working.join_next().await.is_some() {}
}

/// What works at operations in one process.
#[derive(Clone)]
struct Runner {
    client: Client,
    owner: String,
    stop: CancellationToken,
}

/// What came of a page.
#[derive(Default)]
struct Counts {
    done: u64,
    skipped: u64,
    faults: Vec<JobFault>,
}

impl Runner {
    /// Takes operations that nobody works at, oldest first.
    async fn claim(&self, ids: &BTreeSet<String>, max: usize) -> Result<Vec<Read>, port::Error> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let records = &*self.client.backend().records;
        let mut claimed = Vec::new();
        for mut read in store::running(records).await? {
            let now = self.now();
            let is_free = read.operation.owner_until.is_none_or(|until| until <= now);
            if claimed.len() == max || !is_free || ids.contains(&read.operation.id) {
                continue;
            }
            self.own(&mut read.operation);
            let expected = Expected::Revision(read.revision);
            if let Put::Kept(revision) = store::put(records, &read.operation, expected).await? {
                read.revision = revision;
                claimed.push(read);
            }
        }
        Ok(claimed)
    }

    /// Works at one until it is over, or somebody else's.
    async fn work(&self, mut read: Read) {
        let id = read.operation.id.clone();
        tracing::info!(operation = id, by = read.operation.by, "bulk operation goes on");
        loop {
            let going_on = match self.page(&mut read).await {
                Ok(going_on) => going_on,
                Err(error) if error.retryable() => {
                    tracing::warn!(operation = id, %error, "bulk operation waits");
                    let _ = self.stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
                    true
                }
                Err(error) => {
                    tracing::error!(operation = id, %error, "bulk operation cannot go on");
                    self.give_up(&mut read, &error).await;
                    false
                }
            };
            if !going_on {
                return;
            }
            if self.stop.is_cancelled() {
                (read.operation.owner, read.operation.owner_until) = (None, None);
                let left = self.keep(&mut read).await;
                return drop(left);
            }
        }
    }

    /// One page. Tells whether there is more to do here.
    async fn page(&self, read: &mut Read) -> Result<bool, port::Error> {
        let operation = &read.operation;
        let filter = operation.selection.filter(operation.cursor.clone(), PAGE);
        let page = self.client.backend().store.jobs(filter).await?;
        let looked_at = page.jobs.len() as u64;
        let (counts, whole) = self.acted(read, page.jobs).await?;
        let operation = &mut read.operation;
        counts.add_to(operation);
        if whole {
            operation.looked_at += looked_at;
            operation.cursor.clone_from(&page.next);
            if page.next.is_none() {
                (operation.state, operation.ended_at) = (State::Done, Some(self.now()));
            }
        }
        self.own(operation);
        if operation.state != State::Running {
            (operation.owner_until, operation.cursor) = (None, None);
        }
        self.keep(read).await
    }

    /// Acts on a page's jobs. Tells whether on all of them: not where somebody cancelled it
    /// meanwhile.
    async fn acted(
        &self,
        read: &mut Read,
        jobs: Vec<JobRecord>,
    ) -> Result<(Counts, bool), port::Error> {
        let (kind, by) = (read.operation.kind.clone(), read.operation.by.clone());
        let one = |job: JobRecord| {
            let (kind, by) = (&kind, &by);
            async move { (act(&self.client, kind, by, &job.job_id).await, job.job_id) }
        };
        let mut acts = stream::iter(jobs).map(one).buffer_unordered(AT_A_TIME);
        let mut counts = Counts::default();
        let mut renewal = tokio::time::interval(RENEWED_AFTER);
        renewal.tick().await;
        loop {
            tokio::select! {
                acted = acts.next() => match acted {
                    Some((fate, job_id)) => counts.count(fate?, job_id),
                    None => return Ok((counts, true)),
                },
                _ = renewal.tick() => {
                    self.own(&mut read.operation);
                    if !self.keep(read).await? {
                        return Ok((counts, false));
                    }
                }
            }
        }
    }

    /// Writes how far it is. Tells whether it goes on here; where somebody cancelled it, it does
    /// not.
    async fn keep(&self, read: &mut Read) -> Result<bool, port::Error> {
        let records = &*self.client.backend().records;
        loop {
            let expected = Expected::Revision(read.revision);
            if let Put::Kept(revision) = store::put(records, &read.operation, expected).await? {
                read.revision = revision;
                self.client.backend().bus.publish(Signal::Changed);
                return Ok(read.operation.state == State::Running);
            }
            let Some(other) = store::find(records, &read.operation.id).await? else {
                return Ok(false);
            };
            if other.operation.owner.as_ref() != Some(&self.owner) {
                return Ok(false);
            }
            read.revision = other.revision;
            read.operation.state = other.operation.state;
            read.operation.ended_at = other.operation.ended_at;
        }
    }

    async fn give_up(&self, read: &mut Read, error: &port::Error) {
        let operation = &mut read.operation;
        (operation.state, operation.ended_at) = (State::Failed, Some(self.now()));
        operation.errors.truncate(ERRORS_MAX - 1);
        operation.errors.push(JobFault { job_id: None, message: error.to_string() });
        if let Err(error) = self.keep(read).await {
            tracing::error!(%error, "that a bulk operation failed is not kept");
        }
    }

    fn own(&self, operation: &mut Operation) {
        let now = self.now();
        operation.updated_at = now;
        operation.owner = Some(self.owner.clone());
        operation.owner_until = Some(now.plus(OWNED_FOR));
    }

    fn now(&self) -> Timestamp {
        self.client.backend().clock.now()
    }
}

impl Counts {
    fn count(&mut self, fate: Fate, job_id: JobId) {
        match fate {
            Fate::Done => self.done += 1,
            Fate::Skipped => self.skipped += 1,
            Fate::Failed(message) => self.faults.push(JobFault { job_id: Some(job_id), message }),
        }
    }

    fn add_to(self, operation: &mut Operation) {
        operation.done += self.done;
        operation.skipped += self.skipped;
        operation.failed += self.faults.len() as u64;
        let room = ERRORS_MAX.saturating_sub(operation.errors.len());
        operation.errors.extend(self.faults.into_iter().take(room));
    }
}
