//! How deliveries and tasks end, decided once and done on both sides.

use std::time::Duration;

use waystation_core::clock::Timestamp;
use waystation_core::settlement::{Priority, Quorum, Settlement};

use super::world::{KEYS, STAGES, World};
use crate::sample::Ending;

/// What is waited for: both of two, one of them, whichever way they end, or too many.
const QUORUMS: [Quorum; 4] = [
    Quorum { visit: 0, completed: 2, failed: 1, ended: u32::MAX },
    Quorum { visit: 0, completed: 1, failed: 1, ended: u32::MAX },
    Quorum { visit: 0, completed: 2, failed: u32::MAX, ended: 2 },
    Quorum { visit: 0, completed: 9, failed: 9, ended: 9 },
];

/// A random end.
pub(super) struct End {
    way: Way,
    at: Timestamp,
    /// How large a param it adds.
    bytes: usize,
    priority: Priority,
    /// The key that it goes on with.
    key: Option<&'static str>,
    /// Whether it loses its place among those of its key.
    steps_aside: bool,
}

enum Way {
    Forward(&'static str),
    Park,
    /// Into children of these names, at a stage, and with what is waited for.
    FanOut(&'static [&'static str], &'static str, Quorum),
    Retry(Timestamp),
    HandBack,
    Complete,
    Skip,
    Fail,
    Abort,
}

impl End {
    pub fn of_delivery(world: &mut World) -> Self {
        let way = match world.random.u32(..100) {
            0..30 => Way::Forward(world.pick(&STAGES)),
            30..35 => Way::Park,
            35..45 => {
                // Two of the same name: the second cannot be made.
                let names = world.pick(&[&["x"][..], &["x", "y"], &["x", "y", "y"]]);
                let quorum = world.pick(&QUORUMS);
                Way::FanOut(names, world.pick(&STAGES), quorum)
            }
            45..57 => {
                let wait = Duration::from_millis(world.pick(&[0, 1_000, 10_000]));
                Way::Retry(world.now().plus(wait))
            }
            57..67 => Way::HandBack,
            67..80 => Way::Complete,
            80..84 => Way::Skip,
            84..96 => Way::Fail,
            _ => Way::Abort,
        };
        Self::by(way, world)
    }

    pub fn of_task(world: &mut World) -> Self {
        let way = match world.random.u32(..10) {
            0..5 => Way::Forward(world.pick(&STAGES)),
            5..7 => Way::Park,
            7..9 => Way::Complete,
            _ => Way::Fail,
        };
        Self::by(way, world)
    }

    fn by(way: Way, world: &mut World) -> Self {
        let too_large = world.chance(2);
        Self {
            way,
            at: world.now(),
            bytes: if too_large { world.payload_bytes_max } else { world.random.usize(..9) },
            priority: world.pick(&[0, 0, 3]),
            key: world.pick(&KEYS),
            steps_aside: world.chance(30),
        }
    }
}

/// The settlement that ends something this way.
pub(super) fn shape(ending: Ending, end: &End) -> Settlement {
    let ending = ending
        .happening_at(end.at)
        .priority(end.priority)
        .param("text", "x".repeat(end.bytes))
        .log("ended");
    let ending = end.key.into_iter().fold(ending, Ending::key);
    let ending = if end.steps_aside { ending.stepping_aside() } else { ending };
    match end.way {
        Way::Forward(stage) => ending.forward_to(stage),
        Way::Park => ending.park_at("review"),
        Way::FanOut(names, stage, quorum) => {
            ending.fan_out(names, stage, "third", |visit| Quorum { visit, ..quorum })
        }
        Way::Retry(moment) => ending.retry_at(moment),
        Way::HandBack => ending.hand_back(),
        Way::Complete => ending.complete(),
        Way::Skip => ending.skip(),
        Way::Fail => ending.fail("no such page"),
        Way::Abort => ending.abort("told to stop"),
    }
}
