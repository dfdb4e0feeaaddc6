//! Which broker, which names, which kind of queues.

use lapin::uri::AMQPUri;

/// How a broker is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it is and who we are there.
    pub uri: AMQPUri,
    /// Stands before the name of every queue and exchange.
    pub prefix: String,
    /// What kind of queues are declared.
    pub kind: QueueKind,
    /// Whether queues are made, or only looked for.
    pub declare: Declare,
    /// How many deliveries are fetched ahead for a queue; as many as its worker can run unless
    /// given.
    pub prefetch: Option<u16>,
    /// The queue that events go to.
    pub journal: String,
    /// Whether a message of the journal is one event or a list.
    pub events: Events,
    /// The largest contract, in bytes.
    pub payload_bytes_max: usize,
}

/// The kind of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueKind {
    /// Replicated, and flushed to disk before it is confirmed.
    Quorum,
    /// On one node.
    Classic,
}

/// What is done about queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declare {
    /// They are made where they are absent.
    Create,
    /// They must be there.
    Passive,
}

/// What a message of the journal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Events {
    /// A list of all events that were settled together.
    Batch,
    /// One event, for consumers that know nothing else.
    Each,
}

/// The queue of events unless the URL names another.
pub const JOURNAL: &str = "job_events";
/// The largest contract unless the URL says otherwise.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;
/// A silent peer is taken for gone after two of these, in seconds, unless the URL says otherwise.
const HEARTBEAT_SECONDS: u16 = 10;
const NAME_BYTES_MAX: usize = 40;

impl Options {
    /// Reads a URL: `amqp://USER:PASSWORD@HOST:PORT/VHOST`, or `amqps://` for TLS, with AMQP's own
    /// options and ours: `queue=quorum|classic`, `declare=create|passive`, `prefetch=N`,
    /// `journal=NAME`, `events=batch|each`, `prefix=TEXT`, `payload_bytes_max=N`. The error names
    /// what was not understood.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut theirs = Vec::new();
        let uri: AMQPUri = base.parse().map_err(|error| format!("no AMQP URL: {error}"))?;
        let mut options = Self {
            uri,
            prefix: String::new(),
            kind: QueueKind::Quorum,
            declare: Declare::Create,
            prefetch: None,
            journal: JOURNAL.to_owned(),
            events: Events::Batch,
            payload_bytes_max: PAYLOAD_BYTES_MAX,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let kinds = [("quorum", QueueKind::Quorum), ("classic", QueueKind::Classic)];
            let declares = [("create", Declare::Create), ("passive", Declare::Passive)];
            let events = [("batch", Events::Batch), ("each", Events::Each)];
            match name {
                "queue" => options.kind = word(name, value, &kinds)?,
                "declare" => options.declare = word(name, value, &declares)?,
                "events" => options.events = word(name, value, &events)?,
                "prefetch" => options.prefetch = Some(number(name, value)?),
                "payload_bytes_max" => options.payload_bytes_max = number(name, value)?,
                "prefix" => options.prefix = checked(name, value)?,
                "journal" => options.journal = checked(name, value)?,
                "heartbeat" | "connection_timeout" | "channel_max" | "frame_max"
                | "auth_mechanism" => theirs.push(pair),
                _ => return Err(format!("there is no option `{name}`")),
            }
        }
        if !theirs.is_empty() {
            let url = format!("{base}?{}", theirs.join("&"));
            options.uri = url.parse().map_err(|error| format!("no AMQP URL: {error}"))?;
        }
        options.uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        if options.prefetch == Some(0) {
            return Err("prefetch is 1 at least, not `0`".to_owned());
        }
        Ok(options)
    }

    /// The broker in messages: without its password.
    pub fn name(&self) -> String {
        let authority = &self.uri.authority;
        let vhost = &self.uri.vhost;
        format!("rabbitmq {}:{} vhost {vhost}", authority.host, authority.port)
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

/// Names become parts of names of queues, which are at most 255 bytes long.
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
        let url = "amqp://me:secret@mq.example:5673/jobs?queue=classic&prefetch=7&heartbeat=3";
        let options = Options::parse(url).expect("a good URL");
        assert_eq!(options.kind, QueueKind::Classic);
        assert_eq!(options.prefetch, Some(7));
        assert_eq!(options.uri.query.heartbeat, Some(3));
        assert_eq!(options.name(), "rabbitmq mq.example:5673 vhost jobs");
        let plain = Options::parse("amqp://localhost").expect("a good URL");
        assert_eq!(plain.uri.query.heartbeat, Some(HEARTBEAT_SECONDS));
        assert_eq!((plain.kind, plain.declare), (QueueKind::Quorum, Declare::Create));
    }

    #[test]
    fn bad_urls_name_what_is_wrong() {
        for (url, part) in [
            ("amqp://h?queue=stream", "quorum, classic, not `stream`"),
            ("amqp://h?prefetch=0", "not `0`"),
            ("amqp://h?prefetch=many", "not `many`"),
            ("amqp://h?colour=red", "no option `colour`"),
            ("amqp://h?prefix=a b", "not `a b`"),
            ("http://h", "no AMQP URL"),
        ] {
            let error = Options::parse(url).expect_err(url);
            assert!(error.contains(part), "{url}: {error}");
        }
    }
}
