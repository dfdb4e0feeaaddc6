//! The engine on the memory backend: attempts, retries, aborts, drains and faults.
#![cfg(test)]

mod attempts;
mod flow;
mod services;
mod stopping;
mod world;
