//! `waystation serve`: the API and the dashboard; and the same beside an engine.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use waystation::config::Given;
#[cfg(feature = "images")]
use waystation::config::Origin;
use waystation::server::{self, Server, ServerError};
use waystation::{Client, Signals};

use super::exit::{Error, Outcome};
use super::out;
use super::session::Global;

/// How long what was asked may still be answered at the end.
const LAST_ANSWERS: std::time::Duration = std::time::Duration::from_secs(5);

/// What `serve` is told.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where to listen. Others than this machine's own addresses need a token: `tokens add`
    /// [default: 127.0.0.1:7280]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Show files of this folder where params name them by their paths
    #[arg(long = "preview", value_name = "DIR")]
    previews: Vec<String>,
}

impl Arguments {
    /// What they say of settings.
    pub fn given(&self) -> Vec<Given> {
        let previews = (!self.previews.is_empty()).then(|| self.previews.clone());
        let previews = Given::new("previews", "--preview", previews);
        given("--listen", self.listen).into_iter().chain(previews).collect()
    }
}

/// What a flag says of the settings by naming an address.
pub fn given(flag: &'static str, address: Option<SocketAddr>) -> Vec<Given> {
    let host = address.map(|address| address.ip().to_string());
    let port = address.map(|address| address.port());
    let given = [Given::new("listen.host", flag, host), Given::new("listen.port", flag, port)];
    given.into_iter().flatten().collect()
}

/// Serves until it is told to end.
pub async fn run(global: &Global) -> Result<Outcome, Error> {
    let mut signals = Signals::listen()
        .map_err(|error| Error::failed(format!("cannot listen to signals: {error}")))?;
    global.refuse_fleeting_store()?;
    let session = global.open_to_serve().await?;
    let serving = begin(session.client(), global).await?;
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

/// Begins to serve where the settings say.
pub async fn begin(client: Client, global: &Global) -> Result<Serving, Error> {
    begin_with(Server::bind(client, options(global)).await)
}

/// The same, and shows files of this folder, too. Where nobody said an address, another port is
/// taken when the usual one is not free.
#[cfg(feature = "images")]
pub async fn begin_anywhere(
    client: Client,
    global: &Global,
    previews: PathBuf,
) -> Result<Serving, Error> {
    let mut options = options(global);
    options.preview_folders.push(previews);
    let nobody_said = |key| global.config().origin(key) == Some(&Origin::Default);
    let is_free_to_move = nobody_said("listen.host") && nobody_said("listen.port");
    let bound = Server::bind(client.clone(), options.clone()).await;
    begin_with(match bound {
        Err(ServerError::Listen { source, .. })
            if is_free_to_move && source.kind() == io::ErrorKind::AddrInUse =>
        {
            options.address.set_port(0);
            Server::bind(client, options).await
        }
        bound => bound,
    })
}

fn options(global: &Global) -> server::Options {
    let settings = global.settings();
    server::Options {
        address: settings.listen,
        preview_folders: settings.previews.iter().map(PathBuf::from).collect(),
        name: settings.name.clone(),
        ..server::Options::default()
    }
}

fn begin_with(server: Result<Server, ServerError>) -> Result<Serving, Error> {
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
