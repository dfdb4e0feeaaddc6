//! `waystation serve`: the API and the dashboard; and the same beside an engine.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waystation::server::{self, Server, ServerError};
use waystation::{Client, Signals};

use super::exit::{Error, Outcome};
use super::out;
use super::session::Global;

/// The port that dashboards listen on, unless they are told.
const PORT: u16 = 7280;
/// How long what was asked may still be answered at the end.
const LAST_ANSWERS: std::time::Duration = std::time::Duration::from_secs(5);

/// What `serve` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where to listen. Others than this machine's own addresses need a token: `tokens add`
    #[arg(long, value_name = "ADDRESS", default_value_t = own(PORT))]
    listen: SocketAddr,
    /// Show files of this folder where params name them by their paths
    #[arg(long = "preview", value_name = "DIR")]
    previews: Vec<PathBuf>,
}

/// This machine's own address.
fn own(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Serves until it is told to end.
pub async fn run(arguments: Arguments, global: &Global) -> Result<Outcome, Error> {
    let mut signals = Signals::listen()
        .map_err(|error| Error::failed(format!("cannot listen to signals: {error}")))?;
    global.refuse_fleeting_store()?;
    let session = global.open_to_serve().await?;
    let client = session.client();
    let serving = begin(client, Some(arguments.listen), arguments.previews).await?;
    if !global.quiet {
        out::say(format_args!("serving {} at {} until Ctrl-C", global.places(), serving.address));
    }
    signals.next().await;
    serving.end().await;
    Ok(Outcome::Done)
}

/// A server that serves.
pub struct Serving {
    /// Its URL.
    pub address: String,
    stop: CancellationToken,
    ended: JoinHandle<io::Result<()>>,
}

/// Begins to serve. Without an address, another port is taken where the usual one is not free.
pub async fn begin(
    client: Client,
    address: Option<SocketAddr>,
    preview_folders: Vec<PathBuf>,
) -> Result<Serving, Error> {
    let options = server::Options {
        address: address.unwrap_or_else(|| own(PORT)),
        preview_folders,
        ..server::Options::default()
    };
    let bound = Server::bind(client.clone(), options.clone()).await;
    let server = match bound {
        Err(ServerError::Listen { source, .. })
            if address.is_none() && source.kind() == io::ErrorKind::AddrInUse =>
        {
            Server::bind(client, server::Options { address: own(0), ..options }).await
        }
        bound => bound,
    };
    let server = server.map_err(|error| match error {
        ServerError::Unguarded(_) | ServerError::Listen { .. } => Error::usage(error.to_string()),
        ServerError::Remote(_) => Error::failed(error.to_string()),
        ServerError::Store(error) => error.into(),
    })?;
    let address = server.address().map_err(|error| Error::failed(error.to_string()))?;
    let stop = CancellationToken::new();
    let ended = tokio::spawn(server.run(stop.clone()));
    Ok(Serving { address: format!("http://{address}"), stop, ended })
}

impl Serving {
    /// Answers what was asked, and ends.
    pub async fn end(self) {
        self.stop.cancel();
        match tokio::time::timeout(LAST_ANSWERS, self.ended).await {
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the server did not end well"),
            Ok(Err(error)) => tracing::warn!(%error, "the server failed"),
            Ok(Ok(Ok(()))) => {}
            Err(_) => tracing::warn!("somebody was still being answered"),
        }
    }
}
