//! What is known of the running itself: what is paused, who works, who did what, and how far bulk
//! operations are. All of it lies in the store's records, so that every process sees the same.

pub(crate) mod audit;
pub(crate) mod collection;
mod crew;
pub(crate) mod deaths;
mod gate;
pub(crate) mod locks;
pub mod operations;
pub(crate) mod pauses;
pub(crate) mod presence;
mod process;
mod teller;

pub use audit::{AuditEntry, AuditPage, Audited};
pub use gate::Gate;
pub(crate) use gate::changed;
pub use pauses::{Mode, Pause, PauseError, Pauses, Target, UnknownTarget};
pub use presence::{InHand, JOBS_TOLD_MAX, PipelineFault, Serving, WorkerKind, WorkerPresence};

pub use crew::{Crew, Doing, Overdue, Pulse, Witness};
pub(crate) use crew::{Hands, Roster, Witnessed, worker_id};
pub use deaths::Death;
pub(crate) use pauses::View;
pub(crate) use presence::{PRESENCE_INTERVAL, PRESENCE_LASTS, remember_presence};
pub(crate) use process::{Usage, host};
pub(crate) use teller::Teller;
