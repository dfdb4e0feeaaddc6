//! How deliveries and tasks end, decided once and done on both sides.

use std::time::Duration;

use waystation_core::clock::Timestamp;
use waystation_core::settlement::{Priority, Settlement};

use super::world::{STAGES, World};
use crate::sample::Ending;

/// A random end.
pub(super) struct End {
    way: Way,
    at: Timestamp,
    /// How large a param it adds.
    bytes: usize,
    priority: Priority,
}

enum Way {
    Forward(&'static str),
    Park,
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
            30..40 => Way::Park,
            40..55 => {
                let wait = Duration::from_millis(world.pick(&[0, 1_000, 10_000]));
                Way::Retry(world.now().plus(wait))
            }
            55..67 => Way::HandBack,
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
    match end.way {
        Way::Forward(stage) => ending.forward_to(stage),
        Way::Park => ending.park_at("review"),
        Way::Retry(moment) => ending.retry_at(moment),
        Way::HandBack => ending.hand_back(),
        Way::Complete => ending.complete(),
        Way::Skip => ending.skip(),
        Way::Fail => ending.fail("no such page"),
        Way::Abort => ending.abort("told to stop"),
    }
}
