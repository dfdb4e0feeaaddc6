//! Random operations on two backends, which must give the same answers.
//!
//! A seed decides on every step. Both backends are asked the same, on clocks that show the same
//! time, and answers are compared with ids and tokens left out, since those are each backend's
//! own. What was handed out is remembered as pairs, so that later steps can settle the same thing
//! on both sides, in time, too late, or twice.
//!
//! When exactly an expired lease is reclaimed is left to the backend. The steps therefore ask
//! every queue for deliveries whenever the time has moved: from then on both have reclaimed.
//!
//! A failure prints the seed and the last steps. [`run`] repeats it alone.

mod ends;
mod finish;
mod ledger;
mod look;
mod steps;
mod world;

use std::ops::Range;

use super::Harness;
use world::World;

/// The seeds of the default run.
pub const SEEDS: Range<u64> = 0..40;
/// How many steps each seed of the default run takes.
pub const STEPS: usize = 150;

/// Takes this many random steps on a fresh backend of each harness and compares every answer,
/// and all that is to be seen in the end.
pub async fn run(seed: u64, steps: usize, subject: &mut dyn Harness, reference: &mut dyn Harness) {
    let mut world = World::open(seed, subject, reference).await;
    for _ in 0..steps {
        world.step().await;
    }
    world.finish().await;
}
