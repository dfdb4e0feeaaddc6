//! A browser at the dashboard of the showcase.
//!
//! The walk over the real program is among the tests of the crate `waystation`.

#[path = "../../examples/showcase/picture.rs"]
mod picture;
mod walk;
#[path = "../../examples/showcase/world.rs"]
mod world;
