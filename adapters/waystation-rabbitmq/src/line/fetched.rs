//! A message as the broker delivered it.

use lapin::message::Delivery;
use lapin::types::AMQPValue;
use waystation_core::clock::Timestamp;
use waystation_core::key::Key;
use waystation_core::settlement::{Next, Priority};

use crate::publisher::{DELIVERIES, KEY, MARK, NOT_BEFORE, PRIORITY};
use crate::topology::{PartLane, Role};

/// How often a quorum queue got the message back.
const RETURNED: &str = "x-delivery-count";

/// A message that was fetched.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetched {
    /// Its wire form.
    pub body: Vec<u8>,
    /// One in the priority lane, zero otherwise.
    pub priority: Priority,
    /// How often it was handed out, this time included.
    pub deliveries: u32,
    /// When it was published.
    pub enqueued_at: Option<Timestamp>,
    /// Before when it is not to be handed out.
    pub not_before: Option<Timestamp>,
    /// It came back, which is not counted yet.
    pub uncounted: bool,
    /// What it is told apart by, where it is.
    pub key: Option<Key>,
    /// It came back to the place that its key waits at.
    pub keeps_place: bool,
    /// What went on of it in a settlement that failed afterwards, and may be asked for again.
    pub forwarded: Option<Next>,
}

impl Fetched {
    /// A body that comes for the first time.
    #[cfg(test)]
    pub fn plain(body: Vec<u8>) -> Self {
        Self {
            body,
            priority: 0,
            deliveries: 1,
            enqueued_at: None,
            not_before: None,
            uncounted: false,
            key: None,
            keeps_place: false,
            forwarded: None,
        }
    }

    /// Reads a delivery. Quorum queues tell how often a message came back; of others it is only
    /// known that it did, which counts once.
    pub fn read(delivery: Delivery, role: Role) -> Self {
        let is_priority = |lane| lane == PartLane::Priority;
        let (priority, keeps_place) = match role {
            Role::Priority => (1, false),
            Role::Part(part) => (i16::from(is_priority(part.lane)), part.lane == PartLane::Retry),
            _ => (0, false),
        };
        let number = |name: &str| {
            let headers = delivery.properties.headers().as_ref()?;
            as_number(headers.inner().get(name)?)
        };
        // Whoever wrote what is none knows nothing of keys.
        let key = text(&delivery, KEY).and_then(|text| Key::new(&text).ok());
        let told = number(RETURNED);
        let redelivered = told.map_or(delivery.redelivered, |times| times > 0);
        // Of a partition many more are fetched ahead than are handed out, and come back, too: which
        // ones count is found out by its next owner.
        let (uncounted, returned) = match (role, told) {
            (Role::Part(_), _) => (redelivered, 0),
            (_, Some(times)) => (false, times),
            (_, None) => (redelivered, i64::from(redelivered)),
        };
        let before = number(DELIVERIES).unwrap_or(0);
        let seconds = delivery.properties.timestamp().and_then(|at| i64::try_from(at).ok());
        Self {
            deliveries: u32::try_from(before + returned + 1).unwrap_or(u32::MAX),
            uncounted,
            not_before: number(NOT_BEFORE).map(Timestamp),
            enqueued_at: seconds.map(|seconds| Timestamp(seconds.saturating_mul(1_000))),
            // What waited in a delay queue came back by the normal lane.
            priority: priority.max(number(PRIORITY).map_or(0, |level| i16::from(level > 0))),
            key,
            keeps_place,
            body: delivery.data,
            forwarded: None,
        }
    }
}

/// The mark that a message is, if it is one.
pub fn mark_of(delivery: &Delivery) -> Option<String> {
    text(delivery, MARK)
}

fn text(delivery: &Delivery, name: &str) -> Option<String> {
    let headers = delivery.properties.headers().as_ref()?;
    Some(headers.inner().get(name)?.as_long_string()?.to_string())
}

fn as_number(value: &AMQPValue) -> Option<i64> {
    Some(match value {
        AMQPValue::ShortShortInt(number) => i64::from(*number),
        AMQPValue::ShortShortUInt(number) => i64::from(*number),
        AMQPValue::ShortInt(number) => i64::from(*number),
        AMQPValue::ShortUInt(number) => i64::from(*number),
        AMQPValue::LongInt(number) => i64::from(*number),
        AMQPValue::LongUInt(number) => i64::from(*number),
        AMQPValue::LongLongInt(number) => *number,
        _ => return None,
    })
}
