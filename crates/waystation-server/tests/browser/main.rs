//! A browser walks through the dashboard as people do.
//!
//! It takes Chromium and its driver (Debian: `chromium`, `chromium-driver`). Tests that need them
//! have `chromedriver` in their names, by which `cargo xtask test` leaves them out, loudly, where
//! they are not installed.

#[path = "../../examples/showcase/picture.rs"]
mod picture;
mod walk;
mod web;
#[path = "../../examples/showcase/world.rs"]
mod world;
