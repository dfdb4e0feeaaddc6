//! The names and the arguments of everything that is declared on the broker.
//!
//! A stage's queue `Q` has `Q.priority` beside it for what goes first, `Q.delay.STEP` for what
//! waits, and `Q.dead` for copies of what failed. Events go to the journal, signals to an exchange.
//!
//! Where jobs have keys, `Q.keys` is the exchange that they are published to, by the slots of their
//! keys. It leads to `Q.keys.G`, the exchange of the current generation of partitions, and that to
//! the partitions `Q.keys.G.I`, with `.priority` and `.retry` beside each. What has a key and waits
//! does so in `Q.keys.delay.STEP`, which is an exchange and a queue: the slot is kept.

use std::time::Duration;

use lapin::ExchangeKind;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use waystation_core::port::{Generation, Parts};
use waystation_core::settlement::Priority;

use crate::options::{Options, QueueKind};

/// The waits that delay queues exist for. A message that is to wait longer than its queue's step
/// passes through several: every message of one queue waits equally long, so that none waits
/// behind another.
const STEPS_MS: [u64; 16] = [
    100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000,
    1_800_000, 3_600_000, 21_600_000, 86_400_000,
];
/// The most copies that are kept of what failed; the oldest go first. The store has them all.
const DEAD_MAX: i32 = 1_000_000;

/// What a queue is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Contracts wait for workers.
    Work,
    /// The same, before the others.
    Priority,
    /// Copies of what failed.
    Dead,
    /// Contracts wait this long, in milliseconds, and return to the work.
    Delay(u64),
    /// Events wait for the tracker.
    Journal,
    /// What the tracker could not read.
    JournalDead,
    /// The exchange for all contracts with keys.
    Keys,
    /// The exchange of a generation of partitions.
    Generation(u32),
    /// Contracts of some keys wait for their one owner.
    Part(Part),
    /// Contracts with keys wait this long, in milliseconds, and go to their partitions then.
    KeysDelay(u64),
}

impl Role {
    /// Whether what comes from it keeps the place of its key.
    pub fn keeps_place(self) -> bool {
        matches!(self, Self::Part(Part { lane: PartLane::Retry, .. }))
    }
}

/// A queue of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// Of which generation.
    pub generation: u32,
    /// Which partition of it.
    pub number: u32,
    /// Which of its queues.
    pub lane: PartLane,
}

/// The queues of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PartLane {
    /// Contracts in the order that they came.
    Normal,
    /// Contracts that go before them.
    Priority,
    /// Contracts that keep their key's place until they are tried again.
    Retry,
}

/// A queue by its base and role.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct QueueKey {
    base: String,
    role: Role,
}

/// The longest wait that a single queue gives, up to this long. `None` when it is shorter than
/// every step.
pub fn step_for(wait: Duration) -> Option<u64> {
    let wait = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    STEPS_MS.iter().rev().copied().find(|step| *step <= wait)
}

/// Every delay queue that can exist for a queue.
pub fn delays() -> impl Iterator<Item = Role> {
    STEPS_MS.into_iter().map(Role::Delay)
}

/// Every queue that what has a key can wait in.
pub fn key_delays() -> impl Iterator<Item = Role> {
    STEPS_MS.into_iter().map(Role::KeysDelay)
}

/// The queues of all partitions that there are.
pub fn parts(parts: &Parts) -> Vec<Role> {
    let lanes = [PartLane::Retry, PartLane::Priority, PartLane::Normal];
    let part = |generation: u32, number: u32| {
        lanes.map(|lane| Role::Part(Part { generation, number, lane }))
    };
    let generations = parts.former.into_iter().chain([parts.current]);
    let numbers = |one: Generation| (0..one.partitions.get()).map(move |place| (one.number, place));
    generations.flat_map(numbers).flat_map(|(one, number)| part(one, number)).collect()
}

/// By what a contract with a key of this slot finds its partition's queue.
pub fn route(slot: u32, priority: Priority) -> ShortString {
    if priority > 0 { format!("{slot}.priority") } else { slot.to_string() }.into()
}

impl QueueKey {
    /// The queue of a role beside a stage's queue.
    pub fn of(queue: &str, role: Role) -> Self {
        Self { base: queue.to_owned(), role }
    }

    /// What it is for.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What kind of exchange it is, or has before it, if any.
    pub fn exchange(&self) -> Option<ExchangeKind> {
        match self.role {
            // Whatever comes goes on, with the slot that it was published by.
            Role::Keys | Role::KeysDelay(_) => Some(ExchangeKind::Fanout),
            Role::Generation(_) => Some(ExchangeKind::Direct),
            _ => None,
        }
    }

    /// Whether it is an exchange alone.
    pub fn is_exchange(&self) -> bool {
        matches!(self.role, Role::Keys | Role::Generation(_))
    }

    /// The queue that events go to.
    pub fn journal(options: &Options) -> Self {
        Self::of(&options.journal, Role::Journal)
    }

    /// The queue that unreadable events go to.
    pub fn journal_dead(options: &Options) -> Self {
        Self::of(&options.journal, Role::JournalDead)
    }

    /// Its name on the broker.
    pub fn name(&self, options: &Options) -> ShortString {
        let Self { base, role } = self;
        let prefix = &options.prefix;
        match role {
            Role::Work | Role::Journal => format!("{prefix}{base}"),
            Role::Priority => format!("{prefix}{base}.priority"),
            Role::Dead | Role::JournalDead => format!("{prefix}{base}.dead"),
            Role::Delay(step) => format!("{prefix}{base}.delay.{}", shown(*step)),
            Role::Keys => format!("{prefix}{base}.keys"),
            Role::Generation(generation) => format!("{prefix}{base}.keys.{generation}"),
            Role::Part(Part { generation, number, lane }) => {
                let lane = match lane {
                    PartLane::Normal => "",
                    PartLane::Priority => ".priority",
                    PartLane::Retry => ".retry",
                };
                format!("{prefix}{base}.keys.{generation}.{number}{lane}")
            }
            Role::KeysDelay(step) => format!("{prefix}{base}.keys.delay.{}", shown(*step)),
        }
        .into()
    }

    /// Its arguments when it is made.
    pub fn arguments(&self, options: &Options) -> FieldTable {
        let mut table = FieldTable::default();
        if matches!(self.role, Role::Part(_)) {
            // The others wait until the first is gone.
            table.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        }
        let mut text = |name: &str, value: &str| {
            table.insert(name.into(), AMQPValue::LongString(value.into()));
        };
        let quorum = options.kind == QueueKind::Quorum;
        if quorum {
            text("x-queue-type", "quorum");
        }
        match self.role {
            Role::Delay(step) | Role::KeysDelay(step) => {
                let target = |role| Self { base: self.base.clone(), role }.name(options);
                if matches!(self.role, Role::Delay(_)) {
                    text("x-dead-letter-exchange", "");
                    text("x-dead-letter-routing-key", target(Role::Work).as_str());
                } else {
                    text("x-dead-letter-exchange", target(Role::Keys).as_str());
                }
                if quorum {
                    // What is due is not forgotten before its own queue has it.
                    text("x-dead-letter-strategy", "at-least-once");
                    text("x-overflow", "reject-publish");
                }
                table.insert("x-message-ttl".into(), AMQPValue::LongLongInt(step as i64));
            }
            Role::Dead | Role::JournalDead => {
                table.insert("x-max-length".into(), AMQPValue::LongInt(DEAD_MAX));
            }
            // Newer brokers drop what came back too often: here that is the engine's to decide.
            Role::Work | Role::Priority | Role::Part(_) | Role::Journal if quorum => {
                table.insert("x-delivery-limit".into(), AMQPValue::LongInt(i32::MAX));
            }
            Role::Work | Role::Priority | Role::Part(_) | Role::Journal => {}
            Role::Keys | Role::Generation(_) => debug_assert!(false, "an exchange has none"),
        }
        table
    }
}

/// The exchange that carries live signals.
pub fn signals(options: &Options) -> ShortString {
    format!("{}waystation.signals", options.prefix).into()
}

/// The exchange that carries every event once the tracker has it, one a message.
pub fn events(options: &Options) -> ShortString {
    format!("{}{}", options.prefix, options.journal).into()
}

fn shown(step_ms: u64) -> String {
    match step_ms {
        ms if ms % 3_600_000 == 0 => format!("{}h", ms / 3_600_000),
        ms if ms % 60_000 == 0 => format!("{}m", ms / 60_000),
        ms if ms % 1_000 == 0 => format!("{}s", ms / 1_000),
        ms => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_wait_is_made_of_few_steps() {
        for (wait_ms, steps) in [
            (47_000_u64, &[30_000, 10_000, 5_000, 2_000][..]),
            (99, &[]),
            (350, &[200, 100]),
            (2 * 86_400_000, &[86_400_000, 86_400_000]),
        ] {
            let mut left = Duration::from_millis(wait_ms);
            let mut taken = Vec::new();
            while let Some(step) = step_for(left) {
                taken.push(step);
                left -= Duration::from_millis(step);
            }
            assert_eq!(taken, steps, "{wait_ms}");
            assert!(left < Duration::from_millis(100));
        }
    }

    #[test]
    fn names_tell_what_queues_are_for() {
        let mut options = Options::parse("amqp://h?prefix=x.").expect("a good URL");
        let part = |lane| Role::Part(Part { generation: 2, number: 7, lane });
        for (role, name) in [
            (Role::Work, "x.raw_images"),
            (Role::Priority, "x.raw_images.priority"),
            (Role::Dead, "x.raw_images.dead"),
            (Role::Delay(500), "x.raw_images.delay.500ms"),
            (Role::Delay(300_000), "x.raw_images.delay.5m"),
            (Role::Delay(21_600_000), "x.raw_images.delay.6h"),
            (Role::Keys, "x.raw_images.keys"),
            (Role::Generation(2), "x.raw_images.keys.2"),
            (part(PartLane::Normal), "x.raw_images.keys.2.7"),
            (part(PartLane::Priority), "x.raw_images.keys.2.7.priority"),
            (part(PartLane::Retry), "x.raw_images.keys.2.7.retry"),
            (Role::KeysDelay(30_000), "x.raw_images.keys.delay.30s"),
        ] {
            assert_eq!(QueueKey::of("raw_images", role).name(&options).as_str(), name);
        }
        options.prefix.clear();
        assert_eq!(QueueKey::journal(&options).name(&options).as_str(), "job_events");
    }
}
