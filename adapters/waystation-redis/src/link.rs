//! The connections to the server, made again whenever they break.
//!
//! States: *connecting* (waits between the tries), *up* (a session is there), ended (nobody uses
//! the link any more). What is leased stays leased over a cut: leases are the server's.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, FromRedisValue, RedisError, ScriptInvocation};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use waystation_core::port::Error;

use crate::error::{explain, is_read_only};
use crate::options::Options;
use crate::scripts;

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
/// A server that does not answer for this long is taken for gone.
const ANSWER_MAX: Duration = Duration::from_secs(15);
/// How long a call waits for a session before it says that there is none.
const SESSION_WAIT: Duration = Duration::from_secs(5);
/// How often a silent server is asked whether it is there.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The connections that everybody shares: signals must not hold up settlements.
pub struct Session {
    commands: MultiplexedConnection,
    /// Sends signals, and announces events.
    pub speaking: MultiplexedConnection,
    lost: CancellationToken,
}

/// Keeps a session.
pub struct Link {
    options: Options,
    name: String,
    client: Client,
    session: watch::Sender<Option<Arc<Session>>>,
    closed: CancellationToken,
}

impl Link {
    /// Connects, and keeps connecting until the token is cancelled.
    pub async fn open(options: Options, closed: CancellationToken) -> Result<Arc<Self>, Error> {
        let name = options.name();
        let client = client(&options)?;
        let first = Session::open(&client).await.map_err(|error| explain(&name, &error))?;
        let session = watch::Sender::new(Some(Arc::new(first)));
        let link = Arc::new(Self { options, name, client, session, closed });
        tokio::spawn(keep(Arc::clone(&link)));
        Ok(link)
    }

    /// How the server is used.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The server in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The session; waits a little for one.
    pub async fn session(&self) -> Result<Arc<Session>, Error> {
        let mut sessions = self.session.subscribe();
        let up = self.closed.run_until_cancelled(sessions.wait_for(Option::is_some));
        match tokio::time::timeout(SESSION_WAIT, up).await {
            Ok(Some(Ok(session))) => session.clone().ok_or_else(|| self.down()),
            _ => Err(self.down()),
        }
    }

    /// The session, however long it takes; `None` when the link ended.
    pub async fn next_session(&self) -> Option<Arc<Session>> {
        let mut sessions = self.session.subscribe();
        let up = sessions.wait_for(Option::is_some);
        self.closed.run_until_cancelled(up).await?.ok()?.clone()
    }

    /// Runs a script. One that the server does not know is given to it first.
    pub async fn call<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, Error> {
        let session = self.session().await?;
        let mut commands = session.commands.clone();
        let called = script.invoke_async(&mut commands).await;
        called.map_err(|error| self.failed(&session, &error))
    }

    /// An error in the words of the port. One that tells of a broken session ends it.
    pub fn failed(&self, session: &Session, error: &RedisError) -> Error {
        if error.is_io_error() || error.is_unrecoverable_error() || is_read_only(error) {
            session.lost.cancel();
        }
        explain(&self.name, error)
    }

    /// A connection of one's own, which may be blocked for so long.
    pub async fn connection(&self, blocked: Duration) -> redis::RedisResult<MultiplexedConnection> {
        connect(&self.client, blocked + ANSWER_MAX).await
    }

    /// A connection that listens to channels.
    pub async fn listener(&self) -> redis::RedisResult<PubSub> {
        let connecting = self.client.get_async_pubsub();
        tokio::time::timeout(CONNECT_MAX, connecting).await.unwrap_or_else(|_| Err(timed_out()))
    }

    /// Why there is no session.
    pub fn down(&self) -> Error {
        let name = self.name.clone();
        if self.closed.is_cancelled() {
            return Error::Closed { name };
        }
        Error::Unavailable { name, message: "not connected".to_owned() }
    }

    /// Ends the connections.
    pub fn close(&self) {
        self.session.send_replace(None);
    }
}

impl Session {
    async fn open(client: &Client) -> redis::RedisResult<Self> {
        let mut commands = connect(client, ANSWER_MAX).await?;
        let speaking = connect(client, ANSWER_MAX).await?;
        // A server that still loads its data answers this with an error.
        redis::cmd("PING").query_async::<()>(&mut commands).await?;
        scripts::load(&mut commands).await?;
        Ok(Self { commands, speaking, lost: CancellationToken::new() })
    }

    /// Until the server is not there any more.
    async fn broken(&self, name: &str) {
        let silent = async {
            loop {
                tokio::time::sleep(HEARTBEAT).await;
                let mut commands = self.commands.clone();
                match redis::cmd("PING").query_async::<()>(&mut commands).await {
                    Err(error) if error.is_io_error() || error.is_unrecoverable_error() => return,
                    Ok(()) | Err(_) => {}
                }
            }
        };
        tokio::select! {
            () = silent => {}
            () = self.lost.cancelled() => {}
        }
        tracing::warn!(server = name, "connection lost");
    }
}

fn client(options: &Options) -> Result<Client, Error> {
    if options.is_encrypted() {
        // Said here, so that another provider in the same program makes no doubt of it.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    Client::open(options.server.clone()).map_err(|error| Error::Broken {
        name: options.name(),
        message: format!("cannot be used: {error}"),
    })
}

async fn connect(client: &Client, answer: Duration) -> redis::RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_MAX))
        .set_response_timeout(Some(answer));
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    tokio::time::timeout(CONNECT_MAX, connecting).await.unwrap_or_else(|_| Err(timed_out()))
}

fn timed_out() -> RedisError {
    std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        format!("no connection within {CONNECT_MAX:?}"),
    )
    .into()
}

/// A connection for a look at the server, before it is used.
pub async fn look(options: &Options) -> Result<MultiplexedConnection, Error> {
    let client = client(options)?;
    connect(&client, ANSWER_MAX).await.map_err(|error| explain(&options.name(), &error))
}

/// Replaces sessions that break, for as long as anybody uses the link.
async fn keep(link: Arc<Link>) {
    loop {
        let Some(session) = link.session.borrow().clone() else { break };
        if link.closed.run_until_cancelled(session.broken(&link.name)).await.is_none() {
            break;
        }
        link.session.send_replace(None);
        drop(session);
        if link.closed.run_until_cancelled(link.reconnect()).await.is_none() {
            break;
        }
    }
    link.close();
}

impl Link {
    /// Tries until there is a session.
    async fn reconnect(&self) {
        let mut tries = 0;
        loop {
            tokio::time::sleep(RECONNECT[tries.min(RECONNECT.len() - 1)]).await;
            tries += 1;
            match Session::open(&self.client).await {
                Ok(session) => {
                    tracing::info!(server = self.name, tries, "connected again");
                    self.session.send_replace(Some(Arc::new(session)));
                    return;
                }
                Err(error) => {
                    let error = error.to_string();
                    tracing::warn!(server = self.name, tries, error, "not connected");
                }
            }
        }
    }
}
