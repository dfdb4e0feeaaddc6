//! What a server is told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where a server listens, and how much it takes.
#[derive(Clone, Debug)]
pub struct Options {
    /// The address. Others than loopback need tokens: see [`crate::access`].
    pub address: SocketAddr,
    /// What it takes.
    pub limits: Limits,
    /// Whether cookies go over HTTPS alone. They do anyway where a proxy says that it was asked by
    /// HTTPS.
    pub secure_cookies: bool,
    /// The folders whose files may be shown. Nothing outside of them is.
    pub preview_folders: Vec<PathBuf>,
    /// What the status calls this server.
    pub name: String,
}

impl Default for Options {
    /// Port 7280 of this machine alone.
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 7280)),
            limits: Limits::default(),
            secure_cookies: false,
            preview_folders: Vec::new(),
            name: "waystation".to_owned(),
        }
    }
}

/// How much a server takes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// What the headers of a request may hold together, in bytes.
    pub header_bytes_max: usize,
    /// The largest blob or file that is shown, in bytes.
    pub preview_bytes_max: u64,
    /// How long an answer may take, but for those that are meant to wait.
    pub request_time_max: Duration,
    /// The most connections at a time; further ones wait to be accepted.
    pub connections_max: usize,
    /// How long nothing may come or go on a connection before it is closed. Longer than all that
    /// is meant to wait is silent.
    pub idle_time_max: Duration,
    /// The most live subscriptions at a time.
    pub subscribers_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 8 * 1024 * 1024,
            header_bytes_max: 16 * 1024,
            preview_bytes_max: 32 * 1024 * 1024,
            request_time_max: Duration::from_secs(30),
            connections_max: 1_024,
            idle_time_max: Duration::from_secs(75),
            subscribers_max: 256,
        }
    }
}
