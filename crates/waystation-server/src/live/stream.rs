//! The messages of one follower: what they missed or a snapshot first, and then what comes.

use super::follower::{Receiver, Sent};
use super::hub::Hub;
use super::message::{Body, Message, Snapshot};
use super::topic::Topic;
use crate::context::Context;
use crate::problem::{Code, Problem};

/// The messages of one follower.
pub struct Stream {
    first: Option<Sent>,
    messages: Receiver,
    hub: Hub,
}

/// Why a follower was let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// More messages waited for it than may.
    Slow,
    /// The server ends.
    Closed,
}

impl Stream {
    /// Begins to follow.
    pub async fn open(
        context: &Context,
        topic: Topic,
        cursor: Option<u64>,
    ) -> Result<Self, Problem> {
        let hub = context.live().clone();
        let joined = hub.join(context, topic.clone(), cursor).await?;
        let body = match joined.missed {
            Some(delta) => Body::Delta(delta),
            // Read after joining, so that nothing is between it and the messages that come.
            None => Body::Snapshot(Box::new(Snapshot::read(context, &topic).await?)),
        };
        let first = Message::new(topic, joined.place, body).write(joined.place);
        let unwritten = || Problem::new(Code::Internal, "the first message was not written");
        let first = Some(first.ok_or_else(unwritten)?);
        Ok(Self { first, messages: joined.messages, hub })
    }

    /// The next message, or why there is none. Cancel-safe.
    pub async fn next(&mut self) -> Result<Sent, Gone> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let gone = || if self.hub.is_closed() { Gone::Closed } else { Gone::Slow };
        self.messages.next().await.ok_or_else(gone)
    }
}

impl Gone {
    /// The WebSocket's close code: try again later, or going away.
    pub fn code(self) -> u16 {
        match self {
            Self::Slow => 1013,
            Self::Closed => 1001,
        }
    }

    /// Why, in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Slow => "too slow: connect again with the last cursor",
            Self::Closed => "the server ends: connect again with the last cursor",
        }
    }
}
