//! The ports that adapters implement, cut along the commit boundary: queue, store and bus; records,
//! for what is known of the running itself; two more that join a broker's queue with a store; and
//! blobs, for what is too large to travel.
//!
//! Ports are `dyn`, batch-first and narrow. Everything that a user could also do by hand in two
//! calls is not in them.

mod blobs;
mod bus;
mod finding;
mod ledger;
mod limits;
mod parts;
mod queue;
mod records;
mod share;
mod store;

pub use blobs::{Access, BLOB_BYTES_MAX, BlobError, BlobStore};
pub use bus::{Bus, SIGNALS_MAX, Signal, Subscription};
pub use finding::{Finding, Severity};
pub use ledger::{Journal, Ledger, POSTS_MAX, Post, Projected};
pub use limits::{check_batch, check_jobs, check_settlements};
pub use parts::{Generation, Parted, Parts};
pub use queue::{Capabilities, Depth, Extended, Purpose, Queue, RECEIVE_MAX, Receive, SETTLE_MAX};
pub use records::{
    Expected, Held, LOCKS, Put, RECORD_BYTES_MAX, RECORD_KEY_BYTES_MAX, Record, RecordPage,
    Records, check_record,
};
pub use share::{NORMAL_SHARE, Share};
pub use store::{Abort, PERSON_BYTES_MAX, Store, TaskChange, TaskChanged, check_task_change};

/// Why a port could not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A body is larger than this backend takes. Nothing of the call was written.
    #[error("payload of job {job_id} is {bytes} bytes, more than the {bytes_max} allowed")]
    TooLarge {
        /// The job whose body it is.
        job_id: String,
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// A batch holds more entries than the port takes. Nothing of it was written.
    #[error("batch of {entries} entries, more than the {entries_max} allowed")]
    BatchTooLarge {
        /// Its size.
        entries: usize,
        /// The limit.
        entries_max: usize,
    },
    /// The lock under which it was to be written is not held any more.
    #[error("lock {lock} is not held any more: nothing was written")]
    Fenced {
        /// The lock.
        lock: String,
    },
    /// There is no room left on the disk, or in the size that the store is limited to.
    #[error("store {name} is full: {message}")]
    Full {
        /// Which store.
        name: String,
        /// What it said.
        message: String,
    },
    /// The store was written by a newer version of Waystation.
    #[error(
        "store {name} has schema version {found}, newer than the {known} that this build knows \
         (hint: use the newer Waystation that wrote it)"
    )]
    NewerVersion {
        /// Which store.
        name: String,
        /// Its version.
        found: i64,
        /// The newest version we know.
        known: i64,
    },
    /// The backend cannot be used now, but may be later.
    #[error("{name} is unavailable: {message}")]
    Unavailable {
        /// Which backend.
        name: String,
        /// What it said.
        message: String,
    },
    /// The backend cannot be used, and waiting will not help.
    #[error("{name}: {message}")]
    Broken {
        /// Which backend.
        name: String,
        /// What it said.
        message: String,
    },
    /// The backend was shut down by its owner.
    #[error("{name} is closed")]
    Closed {
        /// Which backend.
        name: String,
    },
}

impl Error {
    /// Whether the same call may succeed later. A full disk counts: somebody may make room.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Full { .. })
    }
}
