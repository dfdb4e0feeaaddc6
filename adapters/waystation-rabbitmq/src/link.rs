//! Two connections to the broker, made again whenever they break.
//!
//! States: *connecting* (waits between the tries), *up* (a session is there), ended (nobody uses
//! the link any more). What belonged to a session that broke is gone with it: the broker hands its
//! unacknowledged deliveries out again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::ConfirmSelectOptions;
use lapin::{Channel, Connection, ConnectionProperties, Event};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use waystation_core::port::Error;

use crate::error::{explain, explain_connect};
use crate::options::Options;
use crate::topology::QueueKey;

/// The waits between the tries to connect; the last one is repeated.
pub const RECONNECT: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];
/// One try to connect may take this long.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a call waits for a session before it says that there is none.
const SESSION_WAIT: Duration = Duration::from_secs(5);
/// The most channels that are kept for those who will publish.
const PUBLISHERS_MAX: usize = 16;
/// A connection that does not close in this time is left to its end.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// Two connections: a publisher that the broker slows down must not hold up acknowledgements.
pub struct Session {
    publishing: Connection,
    consuming: Connection,
    /// Channels with confirms that nobody publishes on now.
    publishers: std::sync::Mutex<Vec<Channel>>,
    /// Held by who declares: one at a time.
    pub declaring: tokio::sync::Mutex<()>,
    /// The queues that are known to be there.
    pub declared: tokio::sync::Mutex<std::collections::HashSet<QueueKey>>,
}

/// Keeps a session.
pub struct Link {
    options: Options,
    name: String,
    session: watch::Sender<Option<Arc<Session>>>,
}

impl Link {
    /// Connects, and keeps connecting until the token is cancelled.
    pub async fn open(options: Options, closed: CancellationToken) -> Result<Arc<Self>, Error> {
        let name = options.name();
        let first = Session::open(&options).await.map_err(|error| match error {
            Some(error) => explain_connect(&name, &error),
            None => timed_out(&name),
        })?;
        let session = watch::Sender::new(Some(Arc::new(first)));
        let link = Arc::new(Self { options, name, session });
        tokio::spawn(keep(Arc::clone(&link), closed));
        Ok(link)
    }

    /// How the broker is used.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The broker in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The session; waits a little for one.
    pub async fn session(&self) -> Result<Arc<Session>, Error> {
        let mut sessions = self.session.subscribe();
        let up = sessions.wait_for(Option::is_some);
        match tokio::time::timeout(SESSION_WAIT, up).await {
            Ok(Ok(session)) => session.clone().ok_or_else(|| self.down()),
            _ => Err(self.down()),
        }
    }

    /// The session, however long it takes; `None` when the link ended.
    pub async fn next_session(&self) -> Option<Arc<Session>> {
        let mut sessions = self.session.subscribe();
        sessions.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// The session if it is up.
    pub fn current(&self) -> Option<Arc<Session>> {
        self.session.borrow().clone()
    }

    /// An error of the broker in the words of the port.
    pub fn explain(&self, error: &lapin::Error) -> Error {
        explain(&self.name, error)
    }

    /// That there is no session.
    pub fn down(&self) -> Error {
        Error::Unavailable { name: self.name.clone(), message: "not connected".to_owned() }
    }

    /// Ends the connections, waiting for the broker's answer only so long.
    pub async fn close(&self) {
        if let Some(session) = self.session.send_replace(None) {
            session.close().await;
        }
    }
}

impl Session {
    /// `None` stands for a try that took too long.
    async fn open(options: &Options) -> Result<Self, Option<lapin::Error>> {
        let opening = async {
            let publishing = connect(options, "publishes").await?;
            let consuming = connect(options, "consumes").await?;
            let (publishers, declaring, declared) = <_>::default();
            let session = Self { publishing, consuming, publishers, declaring, declared };
            // Finds out at once whether channels are given.
            session.give_back(session.publisher().await?);
            Ok(session)
        };
        match tokio::time::timeout(CONNECT_MAX, opening).await {
            Ok(result) => result.map_err(Some),
            Err(_) => Err(None),
        }
    }

    /// A channel to consume on.
    pub async fn consuming_channel(&self) -> lapin::Result<Channel> {
        self.consuming.create_channel().await
    }

    /// A channel to declare on: a refusal closes it. It is not on the connection that the broker
    /// blocks when it takes no messages.
    pub async fn declaring_channel(&self) -> lapin::Result<Channel> {
        self.consuming.create_channel().await
    }

    /// A channel to send signals on, whose loss nobody waits for.
    pub async fn signalling_channel(&self) -> lapin::Result<Channel> {
        self.publishing.create_channel().await
    }

    /// A channel with confirms for one caller alone: a message that comes back does not tell which
    /// one it was. To be given back when every confirm has come and none was bad.
    pub async fn publisher(&self) -> lapin::Result<Channel> {
        loop {
            let Some(channel) = self.idle_publishers().pop() else { break };
            if channel.status().connected() {
                return Ok(channel);
            }
        }
        let channel = self.publishing.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(channel)
    }

    /// Takes a channel back.
    pub fn give_back(&self, publisher: Channel) {
        let mut idle = self.idle_publishers();
        if idle.len() < PUBLISHERS_MAX {
            idle.push(publisher);
        }
    }

    fn idle_publishers(&self) -> std::sync::MutexGuard<'_, Vec<Channel>> {
        self.publishers.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Until one of the two connections is gone.
    async fn broken(&self, name: &str) {
        let mut events = futures_util::stream::select(
            Box::pin(self.publishing.events_listener()),
            Box::pin(self.consuming.events_listener()),
        );
        let both_up =
            || self.publishing.status().connected() && self.consuming.status().connected();
        // What broke before anybody listened is not told again.
        while both_up() {
            match tokio::time::timeout(Duration::from_secs(1), events.next()).await {
                // Also of a channel that was refused something.
                Ok(Some(Event::Error(error))) => {
                    tracing::debug!(broker = name, %error, "the broker reports an error");
                }
                Ok(Some(Event::ConnectionBlocked(reason))) => {
                    tracing::warn!(broker = name, reason, "broker takes no messages");
                }
                Ok(Some(Event::ConnectionUnblocked)) => {
                    tracing::info!(broker = name, "broker takes messages again");
                }
                Ok(Some(_)) | Err(_) => {}
                Ok(None) => break,
            }
        }
        tracing::warn!(broker = name, "connection lost");
    }

    async fn close(&self) {
        let closing = async {
            let _ = self.consuming.close(200, "done".into()).await;
            let _ = self.publishing.close(200, "done".into()).await;
        };
        let _ = tokio::time::timeout(CLOSE_MAX, closing).await;
    }
}

async fn connect(options: &Options, does: &str) -> lapin::Result<Connection> {
    let name = format!("waystation {does}");
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    Connection::connect_uri(options.uri.clone(), properties).await
}

fn timed_out(name: &str) -> Error {
    let message = format!("no connection within {CONNECT_MAX:?}");
    Error::Unavailable { name: name.to_owned(), message }
}

/// Replaces sessions that break, for as long as anybody uses the link.
async fn keep(link: Arc<Link>, closed: CancellationToken) {
    while let Some(session) = link.current() {
        if closed.run_until_cancelled(session.broken(&link.name)).await.is_none() {
            break;
        }
        link.session.send_replace(None);
        session.close().await;
        drop(session);
        if closed.run_until_cancelled(link.reconnect()).await.is_none() {
            break;
        }
    }
    link.close().await;
}

impl Link {
    /// Tries until there is a session.
    async fn reconnect(&self) {
        let mut tries = 0;
        loop {
            tokio::time::sleep(RECONNECT[tries.min(RECONNECT.len() - 1)]).await;
            tries += 1;
            match Session::open(&self.options).await {
                Ok(session) => {
                    tracing::info!(broker = self.name, tries, "connected again");
                    self.session.send_replace(Some(Arc::new(session)));
                    return;
                }
                Err(error) => {
                    let error =
                        error.map_or_else(|| "timed out".to_owned(), |error| error.to_string());
                    tracing::warn!(broker = self.name, tries, error, "not connected");
                }
            }
        }
    }
}
