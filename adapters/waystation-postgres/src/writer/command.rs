//! What the writer is asked to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use waystation_core::id::{JobId, PipelineName};
use waystation_core::job::Checkpoint;
use waystation_core::journal::Entry;
use waystation_core::port::{Abort, Error, Extended, Projected, Receive};
use waystation_core::progress::Progress;
use waystation_core::settlement::{Delivery, Lease, NewJob, Settled, Settlement, Submitted};
use waystation_core::step::StepKey;

/// Where an answer goes.
pub type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// One call of a port.
pub enum Command {
    /// Creates jobs.
    Submit {
        /// The jobs.
        jobs: Vec<NewJob>,
        /// The source's place.
        checkpoint: Option<Checkpoint>,
        /// Told when it is durable, or why it is refused.
        reply: Reply<std::result::Result<Vec<Submitted>, Error>>,
    },
    /// Takes deliveries, or waits for some.
    Receive {
        /// What is wanted.
        request: Receive,
        /// Given the deliveries.
        reply: Reply<Vec<Delivery>>,
    },
    /// Makes leases last.
    Extend {
        /// The leases.
        leases: Vec<Lease>,
        /// For this long from now.
        lease: Duration,
        /// Told what came of each.
        reply: Reply<Vec<Extended>>,
    },
    /// Ends deliveries, tasks and dead letters.
    Settle {
        /// The settlements.
        settlements: Arc<[Settlement]>,
        /// Told when they are durable.
        reply: Reply<Vec<Settled>>,
    },
    /// Applies entries of the journal.
    Project {
        /// The entries.
        entries: Arc<[Entry]>,
        /// Told what came of each when it is durable, or why the batch is refused.
        reply: Reply<Result<Vec<Projected>, Error>>,
    },
    /// Aborts a job.
    Abort {
        /// The job.
        job_id: JobId,
        /// Why.
        reason: String,
        /// Told what came of it.
        reply: Reply<Abort>,
    },
    /// Keeps a pipeline's text.
    PutPipeline {
        /// Its name.
        name: PipelineName,
        /// The text.
        source: String,
        /// Told the version.
        reply: Reply<u32>,
    },
    /// Keeps what a step gave.
    KeepStep {
        /// The step.
        step: StepKey,
        /// What it gave.
        result: Vec<u8>,
        /// Told what is kept of it when that is durable.
        reply: Reply<Vec<u8>>,
    },
    /// Forgets the steps of jobs that ended.
    ForgetSteps {
        /// Of those behind this one.
        after: Option<JobId>,
        /// Told how far it came.
        reply: Reply<Option<JobId>>,
    },
    /// Keeps what attempts said last.
    KeepProgress {
        /// What, of which jobs.
        said: Vec<(JobId, Progress)>,
        /// Told when it is kept.
        reply: Reply<()>,
    },
    /// Deliveries that nobody waited for any more: back with them, uncounted.
    Return(Vec<Lease>),
    /// What another process, or this one, told by `NOTIFY`.
    Notice(String),
    /// Finish what is there and end.
    Stop,
}
