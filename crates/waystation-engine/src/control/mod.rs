//! What is known of the running itself: what is paused, who works, who did what, and how far bulk
//! operations are. All of it lies in the store's records, so that every process sees the same.

pub(crate) mod audit;
mod collection;
mod gate;
pub mod operations;
pub(crate) mod pauses;
pub(crate) mod presence;
mod process;
mod teller;

pub use audit::{AuditEntry, AuditPage, Audited};
pub use gate::Gate;
pub(crate) use gate::changed;
pub use pauses::{Mode, Pause, PauseError, Pauses, Target, UnknownTarget};
pub use presence::{InHand, JOBS_TOLD_MAX, Serving, WorkerKind, WorkerPresence};

pub(crate) use pauses::View;
pub(crate) use presence::{PRESENCE_INTERVAL, PRESENCE_LASTS, remember_presence};
pub(crate) use process::host;
pub(crate) use teller::{Hands, Roster, Teller, worker_id};
