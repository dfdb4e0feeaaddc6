//! The settings as the program uses them.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use waystation_core::pipeline::Defaults;

/// What the program is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The store.
    pub store: String,
    /// The broker, where one moves the jobs.
    pub queue: Option<String>,
    /// The bus, where one carries the live signals.
    pub bus: Option<String>,
    /// The place for blobs, where there is one.
    pub blobs: Option<String>,
    /// The server that commands ask, in the place of a store.
    pub server: Option<String>,
    /// What is shown to the server.
    pub token: Option<String>,
    /// What a server calls itself.
    pub name: String,
    /// What is logged, part by part.
    pub log: Option<String>,
    /// How much is logged.
    pub log_level: &'static str,
    /// Whether the log is JSON.
    pub log_json: bool,
    /// Where servers listen.
    pub listen: SocketAddr,
    /// The folders whose files servers show.
    pub previews: Vec<String>,
    /// What engines are told.
    pub engine: Engine,
    /// What holds for stages that do not say it.
    pub stages: Defaults,
}

/// What engines are told.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    /// How many workers work at stages.
    pub processing_workers: u16,
    /// How many workers look after sources.
    pub source_workers: u16,
    /// Which pipelines; all, unless some are named.
    pub pipelines: Vec<String>,
    /// Whether workers are tasks.
    pub in_process: bool,
    /// Whether there is a server beside them.
    pub serve: bool,
    /// How long what runs may go on at the end.
    pub drain: Duration,
    /// How long a dead worker's jobs stay its own.
    pub lease: Duration,
    /// How long a gone worker's source stays its own.
    pub lock: Duration,
    /// How long a worker may do nothing.
    pub hang: Duration,
    /// How much memory a worker may have.
    pub memory_mib: Option<u64>,
}

impl Settings {
    /// Before anything is said, the defaults included.
    pub(super) fn blank() -> Self {
        Self {
            store: String::new(),
            queue: None,
            bus: None,
            blobs: None,
            server: None,
            token: None,
            name: String::new(),
            log: None,
            log_level: "",
            log_json: false,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            previews: Vec::new(),
            engine: Engine::default(),
            stages: Defaults::default(),
        }
    }
}
