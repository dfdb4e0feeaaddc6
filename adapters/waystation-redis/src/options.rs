//! Which server, which names, how durable.

use std::time::Duration;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

/// How a server is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it is and who we are there.
    pub server: ConnectionInfo,
    /// Stands before the name of every key and channel.
    pub prefix: String,
    /// The stream that events go to.
    pub journal: String,
    /// Whether a post of the journal is one event or a list.
    pub events: Events,
    /// The largest contract, in bytes.
    pub payload_bytes_max: usize,
    /// What the server must promise.
    pub durability: Durability,
    /// How long the journal's reader may be silent before another one follows.
    pub lease: Duration,
}

/// What a post of the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    /// A list of all events that were settled together.
    Batch,
    /// One event, for consumers that know nothing else.
    Each,
}

/// What the server must promise of what it acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// It is on disk: `appendonly yes` and `appendfsync always`.
    Always,
    /// It is on disk about a second later.
    Everysec,
    /// Nothing.
    Any,
}

/// The stream of events unless the URL names another.
pub const JOURNAL: &str = "job_events";
/// The largest contract unless the URL says otherwise.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;
/// How long the journal's reader may be silent unless the URL says otherwise.
pub const LEASE: Duration = Duration::from_secs(10);
const NAME_BYTES_MAX: usize = 40;
const LEASE_SECONDS_MAX: u64 = 3_600;

impl Options {
    /// Reads a URL: `redis://USER:PASSWORD@HOST:PORT/DB`, or `rediss://` for TLS, with the options
    /// `prefix=TEXT`, `payload_bytes_max=N`, `journal=NAME`, `events=batch|each`,
    /// `durability=always|everysec|any` and `lease=SECONDS`. The error names what was not
    /// understood, and never shows the password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        if !base.starts_with("redis://") && !base.starts_with("rediss://") {
            let scheme = base.split_once("://").map_or("", |(scheme, _)| scheme);
            return Err(format!("no Redis URL: the scheme is redis or rediss, not `{scheme}`"));
        }
        let server =
            base.into_connection_info().map_err(|error| format!("no Redis URL: {error}"))?;
        let mut options = Self {
            server,
            prefix: String::new(),
            journal: JOURNAL.to_owned(),
            events: Events::Batch,
            payload_bytes_max: PAYLOAD_BYTES_MAX,
            durability: Durability::Everysec,
            lease: LEASE,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let events = [("batch", Events::Batch), ("each", Events::Each)];
            let durabilities = [
                ("always", Durability::Always),
                ("everysec", Durability::Everysec),
                ("any", Durability::Any),
            ];
            match name {
                "prefix" => options.prefix = checked(name, value)?,
                "journal" => options.journal = checked(name, value)?,
                "events" => options.events = word(name, value, &events)?,
                "payload_bytes_max" => options.payload_bytes_max = number(name, value)?,
                "durability" => options.durability = word(name, value, &durabilities)?,
                "lease" => options.lease = lease(name, value)?,
                _ => return Err(format!("there is no option `{name}`")),
            }
        }
        Ok(options)
    }

    /// The server in messages: without its password.
    pub fn name(&self) -> String {
        let db = self.server.redis_settings().db();
        match self.server.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                format!("redis {host}:{port} db {db}")
            }
            other => format!("redis {other} db {db}"),
        }
    }

    /// Whether the connections are encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self.server.addr(), ConnectionAddr::TcpTls { .. })
    }
}

fn word<T: Copy>(name: &str, value: &str, words: &[(&str, T)]) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| *word == value);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        format!("{name} is one of {}, not `{value}`", known.join(", "))
    })
}

fn number<N: std::str::FromStr>(name: &str, value: &str) -> Result<N, String> {
    value.parse().map_err(|_| format!("{name} is a whole number, not `{value}`"))
}

fn lease(name: &str, value: &str) -> Result<Duration, String> {
    let seconds: u64 = number(name, value)?;
    if (1..=LEASE_SECONDS_MAX).contains(&seconds) {
        return Ok(Duration::from_secs(seconds));
    }
    Err(format!("{name} is 1 to {LEASE_SECONDS_MAX} seconds, not `{value}`"))
}

/// Names become parts of keys, and of patterns of channels.
fn checked(name: &str, value: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-:".contains(c);
    if (1..=NAME_BYTES_MAX).contains(&value.len()) && value.chars().all(plain) {
        return Ok(value.to_owned());
    }
    Err(format!("{name} is 1 to {NAME_BYTES_MAX} of letters, digits and . _ - :, not `{value}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_read_and_the_password_is_not_shown() {
        let url = "redis://me:se%40cret@r.example:6380/3?prefix=x:&events=each&lease=2";
        let options = Options::parse(url).expect("a good URL");
        assert_eq!(options.server.redis_settings().password(), Some("se@cret"));
        assert_eq!((options.prefix.as_str(), options.events), ("x:", Events::Each));
        assert_eq!(options.lease, Duration::from_secs(2));
        assert_eq!(options.name(), "redis r.example:6380 db 3");
        let plain = Options::parse("rediss://localhost").expect("a good URL");
        assert_eq!(plain.durability, Durability::Everysec);
        assert!(plain.is_encrypted());
    }

    #[test]
    fn bad_urls_name_what_is_wrong() {
        for (url, part) in [
            ("redis://h?durability=often", "always, everysec, any, not `often`"),
            ("redis://h?lease=0", "not `0`"),
            ("redis://h?payload_bytes_max=many", "not `many`"),
            ("redis://h?colour=red", "no option `colour`"),
            ("redis://h?prefix=a*", "not `a*`"),
            ("redis://:secret@h/first", "no Redis URL"),
            ("http://h", "no Redis URL: the scheme is redis or rediss, not `http`"),
        ] {
            let error = Options::parse(url).expect_err(url);
            assert!(error.contains(part), "{url}: {error}");
            assert!(!error.contains("secret"), "{url}: {error}");
        }
    }
}
