//! What followers come to.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::follower::Receiver;
use super::message::Delta;
use super::service::Service;
use super::topic::Topic;
use crate::context::Context;
use crate::problem::{Code, Problem};

/// How many may knock at a time.
const JOINS_MAX: usize = 64;

/// Lets followers in. Clones are one hub. It begins with its first follower, and costs nothing
/// while it has none.
#[derive(Clone, Default)]
pub struct Hub(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Where the service hears of followers, once there is one.
    door: Mutex<Option<mpsc::Sender<Join>>>,
    /// Cancelled when the server ends.
    closed: CancellationToken,
}

/// Somebody who wants to follow.
pub struct Join {
    /// What.
    pub topic: Topic,
    /// Where they were.
    pub cursor: Option<u64>,
    /// Where the answer is waited for.
    pub answer: oneshot::Sender<Result<Joined, Problem>>,
}

/// Somebody who follows.
pub struct Joined {
    /// Where the feed stands for them: messages tell what comes behind it.
    pub place: u64,
    /// What came since they left, where that is known. They need a snapshot otherwise.
    pub missed: Option<Delta>,
    /// Their messages.
    pub messages: Receiver,
}

impl Hub {
    /// Lets somebody follow a topic.
    pub async fn join(
        &self,
        context: &Context,
        topic: Topic,
        cursor: Option<u64>,
    ) -> Result<Joined, Problem> {
        let gone = || Problem::new(Code::Unavailable, "the server is about to end");
        if self.0.closed.is_cancelled() {
            return Err(gone());
        }
        let (answer, answered) = oneshot::channel();
        let join = Join { topic, cursor, answer };
        self.door(context).send(join).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// Lets everybody go, and nobody in any more.
    pub fn close(&self) {
        self.0.closed.cancel();
    }

    /// Whether nobody is let in any more.
    pub fn is_closed(&self) -> bool {
        self.0.closed.is_cancelled()
    }

    fn door(&self, context: &Context) -> mpsc::Sender<Join> {
        let mut door = self.0.door.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = door.as_ref().filter(|door| !door.is_closed()) {
            return open.clone();
        }
        let (sender, joins) = mpsc::channel(JOINS_MAX);
        let service = Service::new(context.clone(), joins, self.0.closed.clone());
        tokio::spawn(service.run());
        *door = Some(sender.clone());
        sender
    }
}
