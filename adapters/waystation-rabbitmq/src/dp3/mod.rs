//! The dialect of DP3: its task queues, from both sides.
//!
//! DP3 deals work out by the hash of an entity: everything about one entity goes to one worker,
//! which needs no locks then. Its queues are plain RabbitMQ, so that programs of ours and of DP3
//! can stand on either side: what is declared here, DP3 works on, and the other way round.
//! `docs/dp3.md` tells the mapping.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::num::NonZeroU16;
//! use waystation_rabbitmq::dp3::{App, Broker, DataPoint, DataPointTask, Lane, TaskQueueWriter};
//!
//! let workers = NonZeroU16::new(4).ok_or("no workers")?;
//! let broker = Broker::open("amqp://guest:guest@localhost/%2f").await?;
//! let writer = TaskQueueWriter::new(&broker, App::new("net")?, workers, Default::default());
//! let task = DataPointTask::new("ip", "10.0.0.1").with(DataPoint::new("hostname", "gate"));
//! writer.put(&task.into(), Lane::Normal).await?;
//! # Ok(())
//! # }
//! ```

mod broadcast;
mod consuming;
mod dead_letters;
mod eid;
mod fields;
mod held;
mod message;
mod moment;
mod names;
pub mod reader;
mod removal;
mod task;
pub mod topology;
pub mod writer;

use std::sync::Arc;

use tokio_util::sync::{CancellationToken, DropGuard};
use waystation_core::clock::{Clock, SystemClock};
use waystation_core::port::Error;

use crate::link::Link;
use crate::options::Options;

pub use eid::{Eid, EidKind, Kinds};
pub use fields::Wrong;
pub use message::{Action, Control, Feed, Message, Snapshot, SnapshotKind};
pub use moment::Moment;
pub use names::{App, BadName, Lane};
pub use reader::TaskQueueReader;
pub use task::{DataPoint, DataPointTask};
pub use topology::Topology;
pub use writer::{MESSAGE_BYTES_MAX, TaskQueueWriter};

/// A broker that DP3 applications share. Clones share its connections, which are made again when
/// they break, and end with the last clone.
#[derive(Clone)]
pub struct Broker {
    shared: Arc<Shared>,
}

struct Shared {
    link: Arc<Link>,
    clock: Arc<dyn Clock>,
    closed: CancellationToken,
    _close: DropGuard,
}

impl Broker {
    /// Connects to the broker of a URL: `amqp://USER:PASSWORD@HOST:PORT/VHOST`, or `amqps://`.
    /// Of the options that a URL may have for queues of ours, DP3's have none.
    pub async fn open(url: &str) -> Result<Self, Error> {
        let broken = |message| Error::Broken { name: "rabbitmq".to_owned(), message };
        Self::open_with(Options::parse(url).map_err(broken)?, Arc::new(SystemClock)).await
    }

    /// The same with options that are read already, and a clock.
    pub async fn open_with(options: Options, clock: Arc<dyn Clock>) -> Result<Self, Error> {
        if !options.prefix.is_empty() {
            let message = format!("prefix={}: DP3's names begin with the app's", options.prefix);
            return Err(Error::Broken { name: options.name(), message });
        }
        let closed = CancellationToken::new();
        let link = Link::open(options, closed.clone()).await?;
        let shared = Shared { link, clock, _close: closed.clone().drop_guard(), closed };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Ends the connections. What is not acknowledged returns to its queue.
    pub async fn close(&self) {
        self.shared.closed.cancel();
        self.shared.link.close().await;
    }

    fn link(&self) -> &Arc<Link> {
        &self.shared.link
    }

    fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }
}
