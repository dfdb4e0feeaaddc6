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
    /// Files below these folders are shown where params name them by their paths.
    pub preview_folders: Vec<PathBuf>,
}

impl Default for Options {
    /// Port 7280 of this machine alone.
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 7280)),
            limits: Limits::default(),
            preview_folders: Vec::new(),
        }
    }
}

/// How much a server takes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The largest body of a request, in bytes.
    pub body_bytes_max: usize,
    /// How long an answer may take, but for those that are meant to wait.
    pub request_time_max: Duration,
    /// The most connections at a time; further ones wait to be accepted.
    pub connections_max: usize,
    /// The most live subscriptions at a time.
    pub subscribers_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 8 * 1024 * 1024,
            request_time_max: Duration::from_secs(30),
            connections_max: 1_024,
            subscribers_max: 256,
        }
    }
}
