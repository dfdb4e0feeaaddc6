//! Where the broker, the store and Redis are: for our processes and for the Python ones.

use waystation::App;

/// Where things are. Unless the environment says otherwise: where `cargo xtask services up` and
/// `docker compose up` put them, under names of our own.
#[derive(Clone, Debug)]
pub struct Places {
    /// The broker, with our options: `WAYSTATION_QUEUE`.
    pub queue: String,
    /// The store: `WAYSTATION_STORE`.
    pub store: String,
    /// The bus of our own stages: `WAYSTATION_BUS`, or else the broker.
    pub bus: Option<String>,
    /// Where the Python side writes its progress: `REDIS_URL`.
    pub redis: String,
}

const QUEUE: &str = "amqp://guest:guest@127.0.0.1:5672/%2f?prefix=foreign-stage.";
const STORE: &str = "postgres://test:test@127.0.0.1:5432/test?schema=foreign_stage";
const REDIS: &str = "redis://127.0.0.1:6379";

impl Places {
    /// Reads the environment.
    pub fn from_environment() -> Self {
        let named = |variable| std::env::var(variable).ok().filter(|url| !url.is_empty());
        Self {
            queue: named("WAYSTATION_QUEUE").unwrap_or_else(|| QUEUE.to_owned()),
            store: named("WAYSTATION_STORE").unwrap_or_else(|| STORE.to_owned()),
            bus: named("WAYSTATION_BUS"),
            redis: named("REDIS_URL").unwrap_or_else(|| REDIS.to_owned()),
        }
    }

    /// An app that works there.
    pub fn name_in(&self, app: App) -> App {
        let app = app.store(&self.store).queue(&self.queue);
        match &self.bus {
            Some(bus) => app.bus(bus),
            None => app,
        }
    }

    /// The same for another process of ours, as variables.
    pub fn ours(&self) -> Vec<(&'static str, String)> {
        vec![
            ("WAYSTATION_QUEUE", self.queue.clone()),
            ("WAYSTATION_STORE", self.store.clone()),
            ("WAYSTATION_BUS", self.bus.clone().unwrap_or_default()),
        ]
    }

    /// The same for a program that knows nothing of us, as variables.
    pub fn theirs(&self) -> Vec<(&'static str, String)> {
        let (broker, options) = self.queue.split_once('?').unwrap_or((&self.queue, ""));
        let prefix = options.split('&').find_map(|option| option.strip_prefix("prefix="));
        vec![
            ("AMQP_URL", broker.to_owned()),
            ("QUEUE_PREFIX", prefix.unwrap_or_default().to_owned()),
            ("REDIS_URL", self.redis.clone()),
        ]
    }
}
