//! The engine on the memory backend: attempts, retries, aborts, drains and faults.
#![cfg(test)]

mod attempts;
mod breaking;
mod couriers;
mod deadlines;
mod families;
mod flow;
mod progress;
mod services;
mod steps;
mod stopping;
mod submitting;
mod world;
