//! What every command has at hand: the options that all share, and the store behind them.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use waystation::backends::Urls;
use waystation::config::{Config, Given, Settings};
use waystation::core::pipeline::{Defaults, Pipeline};
use waystation::engine::Environment;
use waystation::{Backend, Client, Executors, Registry, backends, environment_with};

use super::exit::Error;
use super::{out, traces};

const STORE_HELP: &str =
    "The store [default: $WAYSTATION_STORE, or sqlite://waystation.db in this folder]";

const QUEUE_HELP: &str =
    "A broker that moves the jobs, beside the store [default: $WAYSTATION_QUEUE, or the store]";
const BUS_HELP: &str =
    "What carries live progress [default: $WAYSTATION_BUS, or the queue, or the store]";
const BLOBS_HELP: &str =
    "Where what is too large to travel goes: file://FOLDER … [default: $WAYSTATION_BLOBS]";
const SERVER_HELP: &str =
    "A server that is asked instead of a store: http://HOST:7280 [default: $WAYSTATION_SERVER]";
const TOKEN_HELP: &str =
    "What the server is shown; others on this machine see it here [default: $WAYSTATION_TOKEN]";
const CONFIG_HELP: &str =
    "The file of settings [default: $WAYSTATION_CONFIG, or waystation.toml in this folder]";

/// The options of every command.
#[derive(Clone, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Flags {
    #[arg(long, global = true, value_name = "URL", help = STORE_HELP)]
    /// The store.
    pub store: Option<String>,
    #[arg(long, global = true, value_name = "URL", help = QUEUE_HELP)]
    /// The broker, where one moves the jobs.
    pub queue: Option<String>,
    #[arg(long, global = true, value_name = "URL", help = BUS_HELP)]
    /// The bus, where one carries the live signals.
    pub bus: Option<String>,
    #[arg(long, global = true, value_name = "URL", help = BLOBS_HELP)]
    /// The place for blobs, where there is one.
    pub blobs: Option<String>,
    #[arg(long, global = true, value_name = "URL", help = SERVER_HELP)]
    /// The server that is asked, in the place of a store.
    pub server: Option<String>,
    #[arg(long, global = true, value_name = "TOKEN", help = TOKEN_HELP)]
    /// What is shown to the server.
    pub token: Option<String>,
    #[arg(long = "config", global = true, value_name = "FILE", help = CONFIG_HELP)]
    /// The file of settings.
    pub config_file: Option<PathBuf>,
    /// Write JSON to stdout: one document, or one object per line
    #[arg(long, global = true)]
    pub json: bool,
    /// A value for `${NAME}` in pipeline files; goes before the environment
    #[arg(long = "set", global = true, value_name = "NAME=VALUE", value_parser = parse_set)]
    pub sets: Vec<(String, String)>,
    /// Log more: -v info, -vv debug, -vvv trace; `$WAYSTATION_LOG` says it finer
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Log errors only, and show no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// The options of every command, and the settings.
#[derive(Clone)]
pub struct Global {
    /// The options.
    pub flags: Flags,
    config: Arc<Config>,
}

impl Deref for Global {
    type Target = Flags;

    fn deref(&self) -> &Flags {
        &self.flags
    }
}

/// An open store and the pipelines in it.
pub struct Session {
    backend: Backend,
    environment: Environment,
    catalog: Arc<Executors>,
    defaults: Defaults,
}

fn parse_set(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("NAME=VALUE is due".to_owned()),
    }
}

impl Flags {
    /// What they say of settings.
    pub fn given(&self) -> Vec<Given> {
        let level = match (self.quiet, self.verbose) {
            (true, _) => Given::new("log_level", "-q", Some("error")),
            (false, 0) => None,
            (false, 1) => Given::new("log_level", "-v", Some("info")),
            (false, 2) => Given::new("log_level", "-vv", Some("debug")),
            (false, _) => Given::new("log_level", "-vvv", Some("trace")),
        };
        let given = [
            Given::new("store", "--store", self.store.clone()),
            Given::new("queue", "--queue", self.queue.clone()),
            Given::new("bus", "--bus", self.bus.clone()),
            Given::new("blobs", "--blobs", self.blobs.clone()),
            Given::new("server", "--server", self.server.clone()),
            Given::new("token", "--token", self.token.clone()),
            level,
        ];
        given.into_iter().flatten().collect()
    }
}

impl Global {
    /// The options, and the settings that they and all other places say.
    pub fn new(flags: Flags, config: Config) -> Self {
        Self { flags, config: Arc::new(config) }
    }

    /// What was said where.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.config.settings
    }

    /// The store's URL.
    pub fn url(&self) -> String {
        self.store.clone().unwrap_or_else(|| self.settings().store.clone())
    }

    /// The URLs of everything.
    pub fn urls(&self) -> Urls {
        let Settings { queue, bus, blobs, .. } = self.settings().clone();
        let variables = self.config.dot_env.clone();
        Urls { store: self.url(), queue, bus, blobs, variables }
    }

    /// Where things are, for messages: without passwords.
    pub fn places(&self) -> String {
        let urls = self.urls();
        let store = backends::shown(&urls.store);
        match urls.queue {
            Some(queue) => format!("{} with {store}", backends::shown(&queue)),
            None => store,
        }
    }

    /// A command that the reader may paste: it names the store or server when this one had to.
    pub fn command(&self, words: &str) -> String {
        let place = match (&self.server, &self.store) {
            (Some(url), _) => format!(" --server {}", quoted(url)),
            (None, Some(url)) => format!(" --store {}", quoted(&backends::shown(url))),
            (None, None) => String::new(),
        };
        let file = self.config_file.as_ref().map_or_else(String::new, |file| {
            format!(" --config {}", quoted(&file.display().to_string()))
        });
        format!("{} {words}{place}{file}", program())
    }

    /// Where `${NAME}` in pipeline files gets its values from.
    pub fn environment(&self) -> Environment {
        environment_with(self.sets.iter().cloned().collect(), self.config.dot_env.clone())
    }

    /// The text of a pipeline file that has no problems, so that no store is made for a bad one.
    pub fn read_good_pipeline(&self, path: &Path) -> Result<String, Error> {
        let text = read_pipeline(path)?;
        let origin = path.display().to_string();
        Pipeline::load(&origin, &text, &*self.environment(), &Executors::standard())?;
        Ok(text)
    }

    /// Opens the store, and makes it when there is none. People act in the store: a broker beside
    /// it, and a place for blobs, need not be there.
    pub async fn open(&self) -> Result<Session, Error> {
        self.open_at(Urls { queue: None, blobs: None, ..self.urls() }).await
    }

    async fn open_at(&self, urls: Urls) -> Result<Session, Error> {
        let url = self.url();
        if let Some(path) = file_of(&url)? {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
                let folder = folder.display();
                return Err(Error::usage(format!("store {url}: there is no folder {folder}")));
            }
        }
        let mut backend = backends::open(&urls).await?;
        if let Some(tracer) = traces::tracer() {
            backend = backend.with_tracer(tracer);
        }
        let catalog = Arc::new(Executors::standard());
        let defaults = self.settings().stages.clone();
        Ok(Session { backend, environment: self.environment(), catalog, defaults })
    }

    /// Opens a store to run on: one that would lose what it acknowledges is refused, and what
    /// somebody should know of it is said.
    pub async fn open_to_run(&self) -> Result<Session, Error> {
        let session = self.open_at(self.urls()).await?;
        for (url, finding) in backends::preflight(&self.urls()).await? {
            out::say(format_args!("warning: {url}: {finding}"));
        }
        Ok(session)
    }

    /// Opens what a server shows: a broker beside the store, too, and the place for blobs.
    pub async fn open_to_serve(&self) -> Result<Session, Error> {
        self.open_at(self.urls()).await
    }

    /// A store that ends with the process is of no use to commands that come and go.
    pub fn refuse_fleeting_store(&self) -> Result<(), Error> {
        let url = self.url();
        if !url.starts_with("memory://") {
            return Ok(());
        }
        let message = "is gone with the process that filled it";
        Err(Error::usage(format!("store {url} {message} (hint: sqlite://FILE)")))
    }

    /// Opens a store that must be there already.
    pub async fn open_existing(&self) -> Result<Session, Error> {
        self.refuse_fleeting_store()?;
        let url = self.url();
        if let Some(path) = file_of(&url)?.filter(|path| !path.exists()) {
            let path = path.display();
            return Err(Error::usage(format!(
                "no store at {path} (hint: `run` and `submit` make one; \
                 --store sqlite://FILE names another)"
            )));
        }
        self.open().await
    }
}

/// The file of a store that is one.
fn file_of(url: &str) -> Result<Option<PathBuf>, Error> {
    #[cfg(feature = "sqlite")]
    if url.starts_with("sqlite://") {
        let options = waystation_sqlite::Options::parse(url)
            .map_err(|message| Error::usage(format!("store URL {message}")))?;
        return Ok(Some(options.path));
    }
    let _ = url;
    Ok(None)
}

impl Session {
    /// The ports.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// A client.
    pub fn client(&self) -> Client {
        let catalog = Arc::clone(&self.catalog);
        let store = Arc::clone(&self.backend.store);
        let registry = Registry::new(store, catalog as _, Arc::clone(&self.environment));
        let registry = registry.with_defaults(self.defaults.clone());
        Client::new(self.backend.clone(), registry)
    }
}

/// The text of a pipeline file.
pub fn read_pipeline(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| {
        Error::usage(format!("cannot read pipeline file {}: {error}", path.display()))
    })
}

/// How this program was called: by its path, or by its name where it is installed.
fn program() -> String {
    let called = std::env::args().next().filter(|called| called.contains('/'));
    called.map_or_else(|| "waystation".to_owned(), |path| quoted(&path))
}

/// A word for the shell, in quotes when it needs them.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted("sqlite://a.db"), "sqlite://a.db");
        assert_eq!(quoted("sqlite://a.db?x=1&y=2"), "'sqlite://a.db?x=1&y=2'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
