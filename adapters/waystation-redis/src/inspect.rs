//! Looks at a server before it is used: whether it keeps what it is given.

use std::collections::HashMap;

use redis::aio::MultiplexedConnection;
use waystation_core::port::{Error, Finding, Severity};

use crate::error::explain;
use crate::link;
use crate::options::{Durability, Options};

/// The oldest server whose streams and scripts are used as they are here.
const VERSION_MIN: (u64, u64) = (6, 2);

/// Looks at the server that the options name. The error tells that there is nothing to look at.
pub async fn inspect(options: &Options) -> Result<Vec<Finding>, Error> {
    Ok(Facts::of(options).await?.judge(options.durability))
}

/// Refuses a server by everything that is wrong with it, and warns of the rest. Tells whether what
/// it acknowledges is on its disk.
pub async fn admit(options: &Options) -> Result<bool, Error> {
    let (name, facts) = (options.name(), Facts::of(options).await?);
    let mut refused = Vec::new();
    for found in facts.judge(options.durability) {
        let hint = found.hint.unwrap_or_default();
        let Finding { subject, message, .. } = found;
        match found.severity {
            Severity::Refuse => refused.push(format!("{subject} {message} (hint: {hint})")),
            Severity::Warn => tracing::warn!(server = name, subject, message, hint, "inspected"),
            Severity::Fine => {}
        }
    }
    if refused.is_empty() {
        return Ok(facts.is_durable());
    }
    Err(Error::Broken { name, message: refused.join("; ") })
}

/// What a server says of itself.
#[derive(Clone, Debug, Default)]
struct Facts {
    info: HashMap<String, String>,
    /// `appendonly` and `appendfsync`, unless the server does not tell.
    appendonly: Option<String>,
    appendfsync: Option<String>,
}

impl Facts {
    async fn of(options: &Options) -> Result<Self, Error> {
        let mut connection = link::look(options).await?;
        let gathered = Self::gather(&mut connection).await;
        gathered.map_err(|error| explain(&options.name(), &error))
    }

    async fn gather(connection: &mut MultiplexedConnection) -> redis::RedisResult<Self> {
        let text: String = redis::cmd("INFO").query_async(connection).await?;
        let mut config = redis::cmd("CONFIG");
        config.arg("GET").arg("append*");
        let settings: redis::RedisResult<HashMap<String, String>> =
            config.query_async(connection).await;
        let mut settings = match settings {
            Ok(settings) => settings,
            Err(error) if error.is_io_error() => return Err(error),
            // Forbidden, as by those who rent servers out.
            Err(_) => HashMap::new(),
        };
        let lines = text.lines().filter_map(|line| line.trim().split_once(':'));
        Ok(Self {
            info: lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            appendonly: settings.remove("appendonly"),
            appendfsync: settings.remove("appendfsync"),
        })
    }

    fn info(&self, name: &str) -> &str {
        self.info.get(name).map_or("", String::as_str)
    }

    /// Whether there is a file that everything is appended to. Whoever may not read the settings is
    /// told it too.
    fn appends(&self) -> bool {
        let told = self.appendonly.as_deref();
        told.map_or(self.info("aof_enabled") == "1", |told| told == "yes")
    }

    fn is_durable(&self) -> bool {
        self.appends() && self.appendfsync.as_deref() == Some("always")
    }

    fn judge(&self, wanted: Durability) -> Vec<Finding> {
        vec![
            self.version(),
            self.role(),
            self.cluster(),
            self.eviction(),
            self.appendonly(wanted),
            self.appendfsync(wanted),
        ]
    }

    fn version(&self) -> Finding {
        let version = self.info("redis_version");
        let mut numbers = version.split('.').map(|part| part.parse::<u64>().unwrap_or(0));
        let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if found >= VERSION_MIN {
            return Finding::fine("redis_version", format!("is {version}"));
        }
        let (major, minor) = VERSION_MIN;
        let hint = format!("version {major}.{minor} or newer is needed");
        Finding::refuse("redis_version", format!("is {version}"), &hint)
    }

    fn role(&self) -> Finding {
        match self.info("role") {
            "slave" => {
                let (host, port) = (self.info("master_host"), self.info("master_port"));
                let hint = format!("use its primary, {host}:{port}");
                Finding::refuse("role", "is replica: it takes no writes".to_owned(), &hint)
            }
            role => Finding::fine("role", format!("is {role}")),
        }
    }

    fn cluster(&self) -> Finding {
        if self.info("cluster_enabled") == "1" {
            let hint = "one settlement touches several queues: use a server without cluster mode";
            return Finding::refuse("cluster_enabled", "is 1".to_owned(), hint);
        }
        Finding::fine("cluster_enabled", "is 0".to_owned())
    }

    fn eviction(&self) -> Finding {
        match self.info("maxmemory_policy") {
            "" => {
                let hint = "it must be noeviction: anything else evicts queues";
                Finding::warn("maxmemory-policy", "could not be checked".to_owned(), hint)
            }
            "noeviction" => Finding::fine("maxmemory-policy", "is noeviction".to_owned()),
            other => {
                let hint = "it would evict queues: set it to noeviction";
                Finding::refuse("maxmemory-policy", format!("is {other}"), hint)
            }
        }
    }

    fn appendonly(&self, wanted: Durability) -> Finding {
        if self.appends() {
            return Finding::fine("appendonly", "is yes".to_owned());
        }
        let message = "is no: a restart loses what was acknowledged".to_owned();
        match wanted {
            Durability::Any => Finding::warn("appendonly", message, "set it to yes"),
            Durability::Always | Durability::Everysec => {
                let hint = "set it to yes, or take the loss with durability=any";
                Finding::refuse("appendonly", message, hint)
            }
        }
    }

    fn appendfsync(&self, wanted: Durability) -> Finding {
        let subject = "appendfsync";
        let Some(found) = self.appendfsync.as_deref() else {
            let message = "could not be checked: CONFIG is forbidden".to_owned();
            return match wanted {
                Durability::Always => {
                    let hint = "allow `CONFIG GET`, or use durability=everysec";
                    Finding::refuse(subject, message, hint)
                }
                _ => Finding::warn(subject, message, "allow `CONFIG GET` to have it checked"),
            };
        };
        let message = format!("is {found}");
        match (wanted, found) {
            (_, "always") | (Durability::Everysec, "everysec") => Finding::fine(subject, message),
            (Durability::Always, _) => {
                let hint = "set it to always, or use durability=everysec";
                Finding::refuse(subject, message, hint)
            }
            (Durability::Everysec, _) => {
                let hint = "set it to everysec or always, or take the loss with durability=any";
                Finding::refuse(subject, message, hint)
            }
            (Durability::Any, _) => {
                Finding::warn(subject, message, "a crash of the server loses what is not on disk")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(changes: &[(&str, &str)]) -> Facts {
        let mut facts = Facts {
            appendonly: Some("yes".to_owned()),
            appendfsync: Some("everysec".to_owned()),
            ..Facts::default()
        };
        let sound = [
            ("redis_version", "7.0.15"),
            ("role", "master"),
            ("cluster_enabled", "0"),
            ("maxmemory_policy", "noeviction"),
            ("aof_enabled", "1"),
        ];
        for (name, value) in sound.iter().chain(changes) {
            match (*name, *value) {
                ("appendonly", value) => facts.appendonly = Some(value.to_owned()),
                ("appendfsync", "") => facts.appendfsync = None,
                ("appendfsync", value) => facts.appendfsync = Some(value.to_owned()),
                (name, value) => {
                    facts.info.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        facts
    }

    fn refused(changes: &[(&str, &str)], wanted: Durability) -> Vec<String> {
        let findings = facts(changes).judge(wanted).into_iter();
        let refused = findings.filter(|found| found.severity == Severity::Refuse);
        refused.map(|found| found.subject.to_owned()).collect()
    }

    #[test]
    fn servers_that_lose_what_they_are_given_are_refused_by_name() {
        use Durability::{Always, Any, Everysec};
        for (changes, wanted, expected) in [
            (&[][..], Everysec, &[][..]),
            (&[], Always, &["appendfsync"]),
            (&[("appendonly", "no")], Everysec, &["appendonly"]),
            (&[("appendonly", "no"), ("appendfsync", "no")], Any, &[]),
            (&[("appendfsync", "no")], Everysec, &["appendfsync"]),
            (&[("appendfsync", "")], Everysec, &[]),
            (&[("appendfsync", "")], Always, &["appendfsync"]),
            (&[("maxmemory_policy", "allkeys-lru")], Any, &["maxmemory-policy"]),
            (&[("role", "slave")], Any, &["role"]),
            (&[("redis_version", "6.0.16")], Any, &["redis_version"]),
            (&[("redis_version", "10.1.0")], Any, &[]),
            (
                &[("cluster_enabled", "1"), ("role", "slave")],
                Everysec,
                &["role", "cluster_enabled"],
            ),
        ] {
            assert_eq!(refused(changes, wanted), expected, "{changes:?} {wanted:?}");
        }
    }

    #[test]
    fn only_what_is_on_disk_is_durable() {
        for (changes, expected) in [
            (&[("appendfsync", "always")][..], true),
            (&[("appendfsync", "everysec")], false),
            (&[("appendonly", "no"), ("appendfsync", "always")], false),
            (&[("appendfsync", "")], false),
        ] {
            assert_eq!(facts(changes).is_durable(), expected, "{changes:?}");
        }
    }
}
