//! The queue port: messages in, deliveries out under leases, settlements back.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{Error, Parted, Parts};
use crate::clock::Timestamp;
use crate::id::QueueName;
use crate::job::Checkpoint;
use crate::journal::Entry;
use crate::settlement::{Delivery, Lease, NewJob, Settled, Settlement, Submitted};

/// The most deliveries of one [`Queue::receive`].
pub const RECEIVE_MAX: usize = 1_000;
/// The most entries of one [`Queue::settle`], [`Queue::submit`] or [`Queue::extend`].
pub const SETTLE_MAX: usize = 1_000;

/// What a backend can do beyond the port's promises. Checked when a pipeline is loaded, never
/// asked for at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each capability is a yes or a no")]
pub struct Capabilities {
    /// Messages can be held back until a time.
    pub delay: bool,
    /// Higher priorities are delivered first.
    pub priority: bool,
    /// Messages of one key are delivered one at a time, in order.
    pub keys: bool,
    /// Keys are kept by partitions, of which each has one owner at a time: [`Queue::part`].
    pub partitions: bool,
    /// A settlement is one transaction with the job's state and events.
    pub atomic_settlement: bool,
    /// What was acknowledged survives the end of the process.
    pub durable: bool,
    /// The largest body.
    pub payload_bytes_max: usize,
}

/// What a receiver wants.
#[derive(Clone, Debug)]
pub struct Receive {
    /// From which queue.
    pub queue: QueueName,
    /// At most this many that can be received by themselves: those without a key, and the first
    /// of each key. Never more than [`RECEIVE_MAX`].
    pub max: usize,
    /// At most this many of one key, the first and those directly behind it: a run. With 1 only
    /// first ones are received. Queues that have no keys of their own may ignore it.
    pub together: usize,
    /// How long to wait while there is nothing.
    pub wait: Duration,
    /// How long the leases last unless extended.
    pub lease: Duration,
    /// What for.
    pub purpose: Purpose,
}

/// What deliveries are received for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// To be worked on: their jobs run.
    #[default]
    Work,
    /// To be handed over to a broker: their jobs still wait, and a lease that runs out is no
    /// attempt that was abandoned.
    Carry,
}

/// What came of extending a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extended {
    /// The lease lasts until the new moment.
    Held,
    /// The lease lasts, but somebody wants the job aborted.
    AbortRequested {
        /// Why.
        reason: String,
    },
    /// The lease is no longer this holder's; its settlement would be refused.
    Lost,
}

/// How much waits in a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Depth {
    /// Deliverable now.
    pub ready: u64,
    /// Those of them that have a priority above 0.
    #[serde(default)]
    pub priority: u64,
    /// Held back until a time.
    pub delayed: u64,
    /// Behind another one of their key.
    #[serde(default)]
    pub behind: u64,
    /// Out under a lease.
    pub leased: u64,
    /// When the oldest deliverable one came.
    pub oldest: Option<Timestamp>,
}

/// Moves contracts to workers and takes settlements back.
#[async_trait]
pub trait Queue: Send + Sync {
    /// What this backend can do.
    fn capabilities(&self) -> Capabilities;

    /// Creates jobs: their records as far as this backend is a store too, their first messages
    /// or tasks, their events, and the source's checkpoint, all or none.
    ///
    /// Durable when it returns. Idempotent by job id: a job that exists is answered as
    /// [`Submitted::Duplicate`] and left alone, whatever its dedupe key. Where another job has the
    /// key, the new one's [`OnDuplicate`](crate::settlement::OnDuplicate) decides; a replaced job
    /// is aborted as [`Store::abort`](super::Store::abort) would, in the same transaction.
    ///
    /// Jobs are taken one after the other, so that a later one of a batch finds an earlier one's
    /// key taken, and each stands alone: what is not created keeps no other from being so. Answers
    /// stand in the jobs' order. If the call is dropped, all may or may not have been created.
    ///
    /// A checkpoint that was found under a lock is refused as [`Error::Fenced`] where that is not
    /// held any more at the commit, and its jobs with it.
    async fn submit(
        &self,
        jobs: Vec<NewJob>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Vec<Submitted>, Error>;

    /// Takes up to `max` deliveries under leases: higher priority first, then in the order they
    /// came. Of those that are passed over for that, the lowest have a
    /// [`Share`](super::Share), so that no flood keeps them waiting for good. Waits up to `wait`
    /// while there is none, and returns empty then. Each handing out is counted on the message
    /// before it is returned.
    ///
    /// Of messages with one key in one queue, one is out at a time: the next one can be received
    /// once the first has left the queue. They follow each other as they came, those of a higher
    /// priority before others that were not handed out yet. One that is held back takes its place
    /// when it can be received, unless its [`Turn`](crate::settlement::Turn) keeps that of the
    /// message whose settlement made it: then those behind it wait with it. So it is with one that
    /// waits for children.
    ///
    /// The first may bring those directly behind it, as many as [`Receive::together`] allows and
    /// never more than [`RECEIVE_MAX`] in all. Such a run stands in the answer in its order, each
    /// under a lease of its own, and while any of it is out nobody else gets one of the key. Its
    /// receiver works on them one after the other, settles none before those before it, and hands
    /// back what comes behind one that does not leave the queue. What was handed out before, and
    /// what kept the place of another, comes alone, and a run ends before such: so a job that
    /// kills its worker is found out, and is counted without its neighbours.
    ///
    /// Of a run all but the first are counted on the message only when all before them have left
    /// the queue, though each delivery tells its count with this handing out. Until then one whose
    /// lease ran out returns to its place as if it had never been handed out.
    ///
    /// A delivery whose lease ran out is handed out again with another token and a higher count.
    /// If the call is dropped, deliveries already leased for it return to the queue, at the
    /// latest when their leases run out.
    async fn receive(&self, request: Receive) -> Result<Vec<Delivery>, Error>;

    /// Makes leases last from now for this long. Answers stand in the leases' order. Idempotent.
    async fn extend(&self, leases: Vec<Lease>, lease: Duration) -> Result<Vec<Extended>, Error>;

    /// Ends deliveries, tasks and dead letters. Answers stand in the settlements' order.
    ///
    /// Each settlement is applied whole or not at all, and is durable when the call returns. A
    /// second settlement of the same thing is answered as [`Settled::Lost`]. So is that of one of
    /// a run while another one is before it in its queue, unless it hands back. On an error
    /// nothing of the batch was applied. If the call is dropped, all may or may not have been
    /// applied.
    ///
    /// What a settlement ends is named by its lease, task or letter alone; its `job_id` is for
    /// messages. A body that ends with a failure is taken whatever its size.
    ///
    /// The batch is shared, not given away, so that a caller who must ask again copies nothing.
    async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, Error>;

    /// Tells the journal that an attempt has begun and goes on, which only a queue apart from its
    /// store has to be told. Not promised to arrive; the settlement tells the start again.
    async fn began(&self, entry: Entry) -> Result<(), Error> {
        let _ = entry;
        Ok(())
    }

    /// This process receives nothing more from this queue: what was fetched ahead for it returns,
    /// uncounted. Queues that fetch nothing ahead have nothing to do.
    async fn leave(&self, queue: &QueueName) -> Result<(), Error> {
        let _ = queue;
        Ok(())
    }

    /// So many of this queue's deliveries are to be out at a time in this process, for several who
    /// each receive a few: a queue that fetches ahead has that many sent, until it is left. Of one
    /// receiver alone, the most that it asked for at a time is enough.
    ///
    /// Queues that fetch nothing ahead have nothing to do.
    async fn make_room(&self, queue: &QueueName, out: usize) -> Result<(), Error> {
        let _ = (queue, out);
        Ok(())
    }

    /// Nobody works on these deliveries any more, and nobody will settle them: they return to their
    /// queues, counted as handed out. Those that are held no more are passed over. Idempotent, and
    /// not promised to arrive: they return at the latest when their leases end.
    ///
    /// Queues whose leases run out by themselves have nothing to do.
    async fn abandon(&self, leases: &[Lease]) -> Result<(), Error> {
        let _ = leases;
        Ok(())
    }

    /// Parts a queue so, and takes from then on what falls into the partitions that are this
    /// process's. Asked again and again, also when nothing changed. What is out of a partition that
    /// is another's from now on ends first; what was only fetched ahead returns in its order.
    ///
    /// Nobody but the one owner takes from a partition, whatever the processes are told: a second
    /// one waits until the first is gone. A message for a queue that was never parted is refused
    /// as unavailable.
    ///
    /// Queues that keep the order of keys by themselves have nothing to do.
    async fn part(&self, queue: &QueueName, parts: &Parts) -> Result<Parted, Error> {
        let _ = (queue, parts);
        Ok(Parted::default())
    }

    /// How much waits in a queue. A snapshot; an unknown queue is empty.
    async fn depth(&self, queue: &QueueName) -> Result<Depth, Error>;
}
