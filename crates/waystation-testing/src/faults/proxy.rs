//! A TCP connection that fails when it is told to: what stands between a backend and its server.
//!
//! ```
//! # use waystation_testing::faults::Proxy;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! # let server = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let proxy = Proxy::to(server.local_addr()?).await?;
//! let connection = tokio::net::TcpStream::connect(proxy.address()).await?;
//! proxy.refuse(); // Nobody gets through any more …
//! proxy.cut(); // … and who was through is thrown out.
//! proxy.heal();
//! # drop(connection);
//! # Ok(())
//! # }
//! ```

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

const BUFFER_BYTES: usize = 16 * 1024;

/// Listens on a port of its own and passes everything on to a server. Ends when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    task: AbortHandle,
}

/// How connections fare.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Connections made before the last cut are of an earlier generation, and end.
    generation: u64,
    refuses: bool,
    delay: Duration,
    /// Connections that were ever passed on.
    accepted: u64,
    /// Bytes that the server answered.
    answered: u64,
}

impl Proxy {
    /// Listens for connections to this server.
    pub async fn to(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let (state, _) = watch::channel(State::default());
        let task = tokio::spawn(accept(listener, server, state.clone())).abort_handle();
        Ok(Self { address, state, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Cuts every connection there is, in the middle of whatever it carries. New ones are let
    /// through.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.generation += 1);
    }

    /// Lets no new connection through. Those there are go on.
    pub fn refuse(&self) {
        self.state.send_modify(|state| state.refuses = true);
    }

    /// Lets new connections through again, and without delay.
    pub fn heal(&self) {
        self.state.send_modify(|state| {
            state.refuses = false;
            state.delay = Duration::ZERO;
        });
    }

    /// Keeps everything that the server says back for this long.
    pub fn delay(&self, delay: Duration) {
        self.state.send_modify(|state| state.delay = delay);
    }

    /// How many connections were let through so far.
    pub fn connections(&self) -> u64 {
        self.state.borrow().accepted
    }

    /// Waits until the server has answered this many bytes more, over whatever connections: a
    /// moment in the middle of work. The caller bounds the wait.
    pub async fn carried(&self, bytes: u64) {
        let mut states = self.state.subscribe();
        let enough = states.borrow().answered + bytes;
        // The sender lives as long as we do.
        let _ = states.wait_for(|state| state.answered >= enough).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, state: watch::Sender<State>) {
    while let Ok((client, _)) = listener.accept().await {
        let now = *state.borrow();
        if now.refuses {
            continue;
        }
        state.send_modify(|state| state.accepted += 1);
        let Ok(server) = TcpStream::connect(server).await else { continue };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (mut from_client, to_client) = client.into_split();
        let (from_server, mut to_server) = server.into_split();
        let mut ends = state.subscribe();
        let back = state.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
                () = answer(from_server, to_client, &back) => {}
                _ = ends.wait_for(|state| state.generation != now.generation) => {}
            }
        });
    }
}

/// Passes on what the server says, as late as it is to be.
async fn answer(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, state: &watch::Sender<State>) {
    let mut buffer = vec![0; BUFFER_BYTES];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let delay = state.borrow().delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        state.send_modify(|state| state.answered += length as u64);
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
