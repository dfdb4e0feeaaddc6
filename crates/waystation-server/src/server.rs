//! Accepts connections and answers them.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use waystation_core::port;
use waystation_engine::Client;

use crate::access::Access;
use crate::context::Context;
use crate::listener::Listener;
use crate::options::Options;
use crate::routes;

/// A server that has its address and does not answer yet.
pub struct Server {
    listener: TcpListener,
    router: Router,
    context: Context,
    connections_max: usize,
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
        let connections_max = options.limits.connections_max;
        let context = Context::new(client, access, options);
        let router = routes::router(context.clone());
        Ok(Self { listener, router, context, connections_max })
    }

    /// Where it listens: the port that it was given, where it asked for any.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// What its routes have at hand.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Answers until it is told to stop, and then until what was asked is answered.
    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        let listener = Listener::new(self.listener, self.connections_max);
        let live = self.context.live().clone();
        let stopped = async move {
            stop.cancelled().await;
            // Followers never end by themselves.
            live.close();
        };
        axum::serve(listener, self.router).with_graceful_shutdown(stopped).await
    }
}
