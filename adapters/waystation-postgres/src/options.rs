//! Which database, which schema, and what limits.

use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::error::chain;
use crate::tls::{Mode, Tls};

/// How a database is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it is and who we are there.
    pub config: Config,
    /// The schema that holds our tables. Made when it is absent.
    pub schema: String,
    /// The largest contract, in bytes.
    pub payload_bytes_max: usize,
    /// Whether findings that would be refused are meant: `unsafe=allow`.
    pub unsafe_allowed: bool,
    /// Whether there is a pooler in transaction mode between: `pooler=transaction`. Statements are
    /// not prepared then, nothing is set for a session, and nobody listens.
    pub pooled: bool,
    /// How the connections are encrypted: `sslmode` and `sslrootcert`.
    pub tls: Tls,
}

/// The schema unless the URL names one.
pub const SCHEMA: &str = "waystation";
/// The largest contract unless the URL says otherwise.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;
const SCHEMA_BYTES_MAX: usize = 40;
/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a server may leave what we sent unacknowledged.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// What it is when nobody says anything.
const KEEPALIVES_IDLE_LIBPQ: Duration = Duration::from_hours(2);

impl Options {
    /// Reads a URL: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with libpq's own options and
    /// ours: `schema=NAME`, `payload_bytes_max=N`, `pooler=transaction` and `unsafe=allow`. The
    /// error names what was not understood.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut schema = SCHEMA.to_owned();
        let mut payload_bytes_max = PAYLOAD_BYTES_MAX;
        let mut unsafe_allowed = false;
        let mut pooled = false;
        let mut tls = Tls::default();
        let mut theirs = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "schema" => schema = checked(value)?,
                "payload_bytes_max" => {
                    payload_bytes_max = value.parse().map_err(|_| {
                        format!("payload_bytes_max is a whole number of bytes, not `{value}`")
                    })?;
                }
                "pooler" if value == "transaction" => pooled = true,
                "pooler" => return Err(format!("pooler is transaction or absent, not `{value}`")),
                "unsafe" if value == "allow" => unsafe_allowed = true,
                "unsafe" => return Err(format!("unsafe is allow or absent, not `{value}`")),
                "sslmode" => tls.mode = Mode::parse(value)?,
                "sslrootcert" => tls.root = (value != "system").then(|| decoded(value).into()),
                _ => theirs.push(pair),
            }
        }
        let url = if theirs.is_empty() {
            base.to_owned()
        } else {
            format!("{base}?{}", theirs.join("&"))
        };
        let mut config: Config = url.parse().map_err(|error| chain(&error))?;
        config.ssl_mode(tls.mode.negotiation());
        if config.get_application_name().is_none() {
            config.application_name("waystation");
        }
        notice_silence(&mut config);
        Ok(Self { config, schema, payload_bytes_max, unsafe_allowed, pooled, tls })
    }

    /// Whether connections are made without TLS: on request, and on this machine's own sockets.
    pub fn is_plain(&self) -> bool {
        let is_tcp = |host: &Host| matches!(host, Host::Tcp(_));
        self.tls.mode == Mode::Disable || !self.config.get_hosts().iter().any(is_tcp)
    }

    /// The database in messages: without its password.
    pub fn name(&self) -> String {
        let hosts: Vec<String> = self
            .config
            .get_hosts()
            .iter()
            .map(|host| match host {
                Host::Tcp(name) => name.clone(),
                #[cfg(unix)]
                Host::Unix(path) => path.display().to_string(),
            })
            .collect();
        let database = self.config.get_dbname().unwrap_or("(default)");
        format!("postgres {}/{database} schema {}", hosts.join(","), self.schema)
    }
}

/// A server that vanished without a word is noticed within half a minute, unless the URL says
/// otherwise; the system's own patience is a quarter of an hour and more.
fn notice_silence(config: &mut Config) {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_MAX);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(SILENCE_MAX);
    }
    if config.get_keepalives_idle() == KEEPALIVES_IDLE_LIBPQ {
        config.keepalives_idle(SILENCE_MAX / 3);
        config.keepalives_interval(SILENCE_MAX / 3);
        config.keepalives_retries(2);
    }
}

/// A value of a URL with its `%` codes read.
fn decoded(value: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), value.as_bytes());
    while let [first, behind @ ..] = rest {
        let code = behind.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A schema's name goes into statements as it is, so that it is held to plain letters.
fn checked(name: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase());
    if starts && name.len() <= SCHEMA_BYTES_MAX && name.chars().all(plain) {
        return Ok(name.to_owned());
    }
    Err(format!(
        "schema is made of at most {SCHEMA_BYTES_MAX} of a-z, 0-9 and _, a letter first, \
         not `{name}`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_read_and_the_password_is_not_shown() {
        let url = "postgres://me:secret@db.example:5433/jobs?schema=mine&connect_timeout=3";
        let options = Options::parse(url).expect("a good URL");
        assert_eq!(options.schema, "mine");
        assert_eq!(options.config.get_ports(), [5433]);
        assert_eq!(options.name(), "postgres db.example/jobs schema mine");
        assert_eq!(options.config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert_eq!(options.config.get_tcp_user_timeout(), Some(&SILENCE_MAX));
        assert_eq!(options.config.get_keepalives_idle(), Duration::from_secs(10));
    }

    #[test]
    fn tls_is_read_from_the_url() {
        let url = "postgres://h/d?sslmode=verify-full&sslrootcert=/etc/my%20own/root.crt";
        let options = Options::parse(url).expect("a good URL");
        let root = Some("/etc/my own/root.crt".into());
        assert_eq!(options.tls, Tls { mode: Mode::VerifyFull, root });
        assert_eq!(Options::parse("postgres://h/d").expect("good").tls.mode, Mode::Prefer);
    }

    #[test]
    fn bad_urls_name_what_is_wrong() {
        for (url, part) in [
            ("postgres://h/d?schema=Robert');--", "not `Robert');--`"),
            ("postgres://h/d?payload_bytes_max=x", "not `x`"),
            ("postgres://h/d?nonsense=1", "nonsense"),
            ("postgres://h/d?unsafe=yes", "not `yes`"),
            ("postgres://h/d?pooler=session", "not `session`"),
            ("postgres://h/d?sslmode=allow", "verify-full, not `allow`"),
        ] {
            let error = Options::parse(url).expect_err(url);
            assert!(error.contains(part), "{url}: {error}");
        }
    }
}
