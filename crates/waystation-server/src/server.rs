//! Accepts connections and answers them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use waystation_core::port;
use waystation_engine::Client;
use waystation_engine::control::operations;
use waystation_engine::remote::{self, Remote};

use crate::access::Access;
use crate::context::Context;
use crate::listener::Listener;
use crate::options::Options;
use crate::routes;

/// How often the store is measured.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// A server that has its address and does not answer yet.
pub struct Server {
    listener: TcpListener,
    router: Router,
    context: Context,
}

/// Why a server does not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The address can be reached from elsewhere, and nobody would have to say who they are.
    #[error(
        "address {0} can be reached from other machines, and there is no token (hint: \
         `waystation tokens add NAME --role admin` makes one; 127.0.0.1 needs none)"
    )]
    Unguarded(SocketAddr),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] port::Error),
    /// No work can be handed out to remote workers.
    #[error(transparent)]
    Remote(#[from] remote::Error),
}

impl Server {
    /// Takes the address.
    pub async fn bind(client: Client, options: Options) -> Result<Self, ServerError> {
        let address = options.address;
        let backend = client.backend();
        let access = Access::new(backend.records.clone(), backend.clock.clone());
        if !address.ip().is_loopback() && !access.is_guarded().await? {
            return Err(ServerError::Unguarded(address));
        }
        let listen = |source| ServerError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(listen)?;
        let remote = Remote::start(client.clone(), remote::Options::default()).await?;
        let context = Context::new(client, access, remote, options);
        let router = routes::router(context.clone());
        Ok(Self { listener, router, context })
    }

    /// Where it listens: the port that it was given, where it asked for any.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What its routes have at hand.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Answers until it is told to stop, and then until what was asked is answered. Meanwhile it
    /// works at bulk operations, and measures the store.
    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        let listener = Listener::new(self.listener, self.context.limits());
        let client = self.context.client().clone();
        let operations = tokio::spawn(operations::run(client, stop.clone()));
        let pinging = AbortOnDropHandle::new(tokio::spawn(ping(self.context.clone())));
        let (remote, stopping) = (self.context.remote().clone(), stop.clone());
        let (waiting, live) = (self.context.stopping().clone(), self.context.live().clone());
        let remote = tokio::spawn(async move {
            stopping.cancelled().await;
            waiting.cancel();
            // Followers never leave by themselves.
            live.close();
            remote.stop().await;
        });
        let end = stop.clone().drop_guard();
        let served =
            axum::serve(listener, self.router).with_graceful_shutdown(stop.cancelled_owned()).await;
        drop((end, pinging));
        // Both end by themselves, and what they left goes on elsewhere.
        let _ = (operations.await, remote.await);
        served
    }
}

/// Measures the store now and then, so that its metrics say something also while nobody asks.
async fn ping(context: Context) {
    loop {
        let pinged = context.meters().ping(&*context.backend().records).await;
        if let Err(error) = pinged {
            tracing::warn!(%error, "the store does not answer");
        }
        tokio::time::sleep(PING_INTERVAL).await;
    }
}
