//! Somebody who follows a topic: both ends of their queue of messages.

use std::sync::Arc;

use tokio::sync::mpsc;

/// How many messages may wait for a follower: some seconds of them. One more, and the follower is
/// let go.
pub const QUEUE_MAX: usize = 32;

/// A message as it is sent, with the cursor that it bears.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Where to go on after it.
    pub cursor: u64,
    /// The JSON.
    pub text: Arc<str>,
}

/// The hub's end.
pub struct Sender(mpsc::Sender<Sent>);

/// The follower's end. Dropping it is leaving.
pub struct Receiver(mpsc::Receiver<Sent>);

/// A queue for one follower.
pub fn queue() -> (Sender, Receiver) {
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    (Sender(sender), Receiver(receiver))
}

impl Sender {
    /// Sends without waiting. False when the follower has left or is too slow: no further message
    /// is to be sent.
    pub fn send(&self, message: &Sent) -> bool {
        self.0.try_send(message.clone()).is_ok()
    }

    /// Whether the follower has left.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl Receiver {
    /// The next message; `None` when the hub let the follower go.
    pub async fn next(&mut self) -> Option<Sent> {
        self.0.recv().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_does_not_read_is_let_go_after_what_waits() {
        let (sender, mut receiver) = queue();
        let message = |cursor| Sent { cursor, text: "{}".into() };
        for cursor in 0..QUEUE_MAX as u64 {
            assert!(sender.send(&message(cursor)));
        }
        assert!(!sender.send(&message(99)), "one more than may wait");
        drop(sender);
        for cursor in 0..QUEUE_MAX as u64 {
            assert_eq!(receiver.next().await.map(|sent| sent.cursor), Some(cursor));
        }
        assert!(receiver.next().await.is_none());
    }
}
