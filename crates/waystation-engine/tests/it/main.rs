//! The engine on the memory backend: attempts, retries, aborts, drains and faults.
#![cfg(test)]

mod attempts;
mod audit;
mod breaking;
mod couriers;
mod crawling;
mod deadlines;
mod explaining;
mod families;
mod flow;
mod keys;
mod lanes;
mod operations;
mod passing;
mod pauses;
mod pipelines;
mod presence;
mod progress;
mod remote;
mod remote_apart;
mod retrying;
mod runs;
mod services;
mod steps;
mod stopping;
mod submitting;
mod taking;
mod world;
