//! Every setting of the program: its key, the variables that say it, what it may be, its default.

use std::net::IpAddr;
use std::time::Duration;

use super::settings::Settings;

/// A setting.
pub struct Setting {
    /// Its key in a file, with dots between sections.
    pub key: &'static str,
    /// What it may be, and where it goes.
    pub kind: Kind,
    /// Its value unless somebody says otherwise. Empty: none.
    pub default: &'static str,
    /// ContentFlow's variable of the same meaning. Ours goes before it.
    pub alias: Option<&'static str>,
    /// What it does.
    pub summary: &'static str,
}

/// What a setting may be, and where its value goes.
pub enum Kind {
    /// Any text.
    Text(fn(&mut Settings, String)),
    /// A text that is never shown.
    Secret(fn(&mut Settings, String)),
    /// A URL, of which passwords are not shown.
    Url(fn(&mut Settings, String)),
    /// A whole number within bounds.
    Whole(u64, u64, fn(&mut Settings, u64)),
    /// A number of seconds within bounds.
    Seconds(f64, f64, fn(&mut Settings, Duration)),
    /// True or false.
    YesNo(fn(&mut Settings, bool)),
    /// One of a few words, each with the other spellings that stand for it.
    Word(&'static [(&'static str, &'static [&'static str])], fn(&mut Settings, &'static str)),
    /// A list of texts.
    Texts(fn(&mut Settings, Vec<String>)),
    /// An IP address.
    Address(fn(&mut Settings, IpAddr)),
}

impl Setting {
    /// What the names of our variables begin with.
    pub const PREFIX: &'static str = "WAYSTATION_";

    /// The variable that says it.
    pub fn variable(&self) -> String {
        format!("{}{}", Self::PREFIX, self.key.replace('.', "_").to_ascii_uppercase())
    }

    /// The setting of this key.
    pub fn of(key: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// The bounds and words of its kind, for documents and messages.
    pub fn expects(&self) -> String {
        match &self.kind {
            Kind::Text(_) | Kind::Secret(_) => "a text".to_owned(),
            Kind::Url(_) => "a URL".to_owned(),
            Kind::Whole(least, most, _) => format!("a whole number from {least} to {most}"),
            Kind::Seconds(least, most, _) => format!("a number of seconds from {least} to {most}"),
            Kind::YesNo(_) => "true or false".to_owned(),
            Kind::Word(words, _) => {
                let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                words.join(" or ")
            }
            Kind::Texts(_) => "a list of texts".to_owned(),
            Kind::Address(_) => "an IP address".to_owned(),
        }
    }
}

const DAY: f64 = 86_400.0;
const YEAR: f64 = 365.0 * DAY;

const LEVELS: &[(&str, &[&str])] = &[
    ("error", &["critical", "fatal"]),
    ("warn", &["warning"]),
    ("info", &[]),
    ("debug", &[]),
    ("trace", &["notset"]),
];

/// All of them, in the order in which they are shown.
pub static SETTINGS: &[Setting] = &[
    Setting {
        key: "store",
        kind: Kind::Url(|settings, url| settings.store = url),
        default: crate::backends::DEFAULT_STORE,
        alias: None,
        summary: "the store",
    },
    Setting {
        key: "queue",
        kind: Kind::Url(|settings, url| settings.queue = Some(url)),
        default: "",
        alias: None,
        summary: "a broker that moves the jobs, beside the store",
    },
    Setting {
        key: "bus",
        kind: Kind::Url(|settings, url| settings.bus = Some(url)),
        default: "",
        alias: None,
        summary: "what carries live progress, unless the queue or the store does",
    },
    Setting {
        key: "blobs",
        kind: Kind::Url(|settings, url| settings.blobs = Some(url)),
        default: "",
        alias: None,
        summary: "where what is too large to travel goes",
    },
    Setting {
        key: "server",
        kind: Kind::Url(|settings, url| settings.server = Some(url)),
        default: "",
        alias: None,
        summary: "a server that commands ask instead of a store",
    },
    Setting {
        key: "token",
        kind: Kind::Secret(|settings, token| settings.token = Some(token)),
        default: "",
        alias: None,
        summary: "what the server is shown",
    },
    Setting {
        key: "name",
        kind: Kind::Text(|settings, name| settings.name = name),
        default: "waystation",
        alias: Some("WORKER_NAME"),
        summary: "what a server calls itself in its health and status",
    },
    Setting {
        key: "log",
        kind: Kind::Text(|settings, filter| settings.log = Some(filter)),
        default: "",
        alias: None,
        summary: "what is logged, part by part: `waystation_engine=debug`; goes before the level",
    },
    Setting {
        key: "log_level",
        kind: Kind::Word(LEVELS, |settings, level| settings.log_level = level),
        default: "warn",
        alias: Some("LOG_LEVEL"),
        summary: "how much is logged; -v and -q say it, too",
    },
    Setting {
        key: "log_format",
        kind: Kind::Word(&[("text", &[]), ("json", &[])], |settings, format| {
            settings.log_json = format == "json";
        }),
        default: "text",
        alias: None,
        summary: "how a line of the log is written",
    },
    Setting {
        key: "listen.host",
        kind: Kind::Address(|settings, host| settings.listen.set_ip(host)),
        default: "127.0.0.1",
        alias: Some("API_HOST"),
        summary: "where servers listen; others than this machine's own addresses need a token",
    },
    Setting {
        key: "listen.port",
        kind: Kind::Whole(0, 65_535, |settings, port| settings.listen.set_port(port as u16)),
        default: "7280",
        alias: Some("API_PORT"),
        summary: "the port that servers listen on",
    },
    Setting {
        key: "previews",
        kind: Kind::Texts(|settings, folders| settings.previews = folders),
        default: "",
        alias: None,
        summary: "folders whose files a server shows where params name them by their paths",
    },
    Setting {
        key: "engine.processing_workers",
        kind: Kind::Whole(0, 1_000, |settings, count| {
            settings.engine.processing_workers = count as u16;
        }),
        default: "1",
        alias: Some("NUM_PROCESSING_WORKERS"),
        summary: "how many workers of `engine` work at stages",
    },
    Setting {
        key: "engine.source_workers",
        kind: Kind::Whole(0, 1_000, |settings, count| {
            settings.engine.source_workers = count as u16;
        }),
        default: "1",
        alias: Some("NUM_SOURCE_WORKERS"),
        summary: "how many workers of `engine` look after sources",
    },
    Setting {
        key: "engine.pipelines",
        kind: Kind::Texts(|settings, names| settings.engine.pipelines = names),
        default: "",
        alias: None,
        summary: "the pipelines that `engine` runs; unless some are named, all that the store has",
    },
    Setting {
        key: "engine.in_process",
        kind: Kind::YesNo(|settings, yes| settings.engine.in_process = yes),
        default: "false",
        alias: None,
        summary: "whether the workers of `engine` are tasks of its own process",
    },
    Setting {
        key: "engine.serve",
        kind: Kind::YesNo(|settings, yes| settings.engine.serve = yes),
        default: "false",
        alias: Some("API_ENABLED"),
        summary: "whether `engine` serves the API and the dashboard beside its workers",
    },
    Setting {
        key: "engine.drain_seconds",
        kind: Kind::Seconds(0.0, YEAR, |settings, time| settings.engine.drain = time),
        default: "30",
        alias: None,
        summary: "how long what runs may go on once a worker is to end",
    },
    Setting {
        key: "engine.lease_seconds",
        kind: Kind::Seconds(1.0, DAY, |settings, time| settings.engine.lease = time),
        default: "30",
        alias: Some("QUEUE_VISIBILITY_TIMEOUT_SECONDS"),
        summary: "how long a dead worker's jobs stay its own",
    },
    Setting {
        key: "engine.lock_seconds",
        kind: Kind::Seconds(1.0, DAY, |settings, time| settings.engine.lock = time),
        default: "60",
        alias: Some("LOCK_TTL_SECONDS"),
        summary: "how long a source stays with a worker of another host that is gone",
    },
    Setting {
        key: "engine.hang_seconds",
        kind: Kind::Seconds(5.0, DAY, |settings, time| settings.engine.hang = time),
        default: "60",
        alias: None,
        summary: "a worker that does nothing for so long is killed, and another one starts",
    },
    Setting {
        key: "engine.memory_mib",
        kind: Kind::Whole(16, 16_777_216, |settings, mib| settings.engine.memory_mib = Some(mib)),
        default: "",
        alias: None,
        summary: "a worker with more memory ends when its jobs have, and another one starts",
    },
    Setting {
        key: "stages.max_retries",
        kind: Kind::Whole(0, 10_000, |settings, count| {
            settings.stages.max_retries = Some(count as u32);
        }),
        default: "",
        alias: Some("MAX_TASK_RETRIES"),
        summary: "how many attempts follow a failed first one where a stage does not say; else 2",
    },
    Setting {
        key: "stages.timeout_seconds",
        kind: Kind::Seconds(0.001, YEAR, |settings, time| settings.stages.timeout = Some(time)),
        default: "",
        alias: Some("TASK_TIMEOUT_SECONDS"),
        summary: "how long one attempt may take where a stage does not say; else without limit",
    },
    Setting {
        key: "stages.polling_interval_seconds",
        kind: Kind::Seconds(0.001, YEAR, |settings, time| settings.stages.look_every = Some(time)),
        default: "",
        alias: Some("DEFAULT_POLLING_INTERVAL_SECONDS"),
        summary: "how often a source looks that does not say; else every 30 seconds",
    },
];
