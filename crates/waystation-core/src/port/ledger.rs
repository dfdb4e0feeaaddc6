//! The ports that join a broker and a store: what the tracker and the courier stand on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Error, Queue, Records, Store};
use crate::id::JobId;
use crate::journal::Entry;

/// The most posts of one [`Journal::read`].
pub const POSTS_MAX: usize = 1_000;

/// A message of the journal: one event or a list of them, as [`crate::journal::decode`] reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Post {
    /// Stands for it in [`Journal::done`].
    pub receipt: u64,
    /// The wire form.
    pub body: Vec<u8>,
}

/// The durable queue `job_events` of a broker.
///
/// One reader at a time gets posts, however many ask; when it goes away another one follows.
#[async_trait]
pub trait Journal: Send + Sync {
    /// The next posts, in the order that they were written in, and at most [`POSTS_MAX`]. Waits up
    /// to `wait` while there is none, and returns empty then. A post that was read and is not done
    /// comes again, to this reader or another, once this one is gone. Cancel-safe.
    async fn read(&self, max: usize, wait: Duration) -> Result<Vec<Post>, Error>;

    /// These posts are in the ledger and need not come again. Ones that this reader no longer
    /// holds are passed over: they will come again.
    async fn done(&self, receipts: &[u64]) -> Result<(), Error>;

    /// This reader reads no more: another one may follow at once, and gets what is not done.
    async fn leave(&self) -> Result<(), Error>;

    /// This post cannot be read: it is kept aside with the reason, and does not come again.
    async fn refuse(&self, receipt: u64, why: &str) -> Result<(), Error>;

    /// This part of a post that this reader holds belongs nowhere: it is kept aside with the
    /// reason, by itself; the post is still to be done. Durable when it returns, unless another
    /// reader follows, who will say the same again. Twice said is twice kept.
    async fn set_aside(&self, part: &[u8], why: &str) -> Result<(), Error>;
}

/// What came of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Projected {
    /// It holds.
    Applied,
    /// The job was further already. Whatever it told that was new is kept.
    Repeated,
}

/// A store that keeps the books for a broker: it takes what people and sources want done, by its
/// own transactions, and learns from the journal what workers did.
///
/// Messages that wait in its queues wait for the courier, who takes them to the broker and settles
/// them with [`Next::HandOver`](crate::settlement::Next::HandOver). From then on the job is shown
/// as queued until the journal tells more. An abort of such a job is a mark, which
/// [`Ledger::abort_marks`] lists until the job has ended. It does not overrule what the journal
/// tells, but for one: a job that comes to the inbox has left the broker, and is aborted there.
#[async_trait]
pub trait Ledger: Queue + Store + Records {
    /// Applies entries in their order, all or none; each as [`crate::journal::verdict`] says. A
    /// job that is not known yet is made known. Events that are there already, by stage, visit,
    /// attempt and kind, are not written again. Durable when it returns. Idempotent.
    ///
    /// Entries with [`Change::Told`](crate::journal::Change::Told) leave the job where it is. An
    /// entry of a job that is not known and whose pipeline is not told is refused, and with it the
    /// batch. The sizes of bodies are not looked at: the broker took them.
    async fn project(&self, entries: Arc<[Entry]>) -> Result<Vec<Projected>, Error>;

    /// The jobs that somebody wants aborted and that a broker has, with the reasons, in the order
    /// in which the ledger came to know the jobs: the first `limit`, and at most
    /// [`PAGE_MAX`](crate::job::PAGE_MAX), of those that it knows later than the job `after`.
    async fn abort_marks(
        &self,
        after: Option<&JobId>,
        limit: usize,
    ) -> Result<Vec<(JobId, String)>, Error>;
}
