//! Redis, held against what it promises. The server is named by `WAYSTATION_TEST_REDIS`;
//! `cargo xtask services up redis` starts one. Tests that stop servers start their own.
#![cfg(test)]

mod delays;
mod journal;
mod keys;
mod leases;
mod queue;
mod restart;
mod server;
mod signals;
mod start;
mod world;
