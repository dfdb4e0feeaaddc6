//! A browser walks through the dashboard as people do.
//!
//! It takes Chromium and its driver (Debian: `chromium`, `chromium-driver`). Where they are not
//! installed, these tests say loudly that they were skipped; with `CI=true` they fail.

#[path = "../../examples/showcase/picture.rs"]
mod picture;
mod walk;
mod web;
#[path = "../../examples/showcase/world.rs"]
mod world;
