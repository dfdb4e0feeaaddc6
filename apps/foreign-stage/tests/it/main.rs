//! Our stages and a Python one in a chain, as each other sees them on the wire. The servers are
//! named by `WAYSTATION_TEST_RABBITMQ`, `WAYSTATION_TEST_POSTGRES` and `WAYSTATION_TEST_REDIS`;
//! `cargo xtask services up` starts them.
#![cfg(test)]

mod demo;
mod site;
mod theirs;
mod vectors;
