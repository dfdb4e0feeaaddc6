//! The program: points over HTTP and from files, and the proof that each entity's updates are
//! applied in order, whatever happens to the workers.
#![cfg(test)]

mod api;
mod order;
mod workers;
