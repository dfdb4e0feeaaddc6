//! PostgreSQL, held against the promises of the ports. The server is named by
//! `WAYSTATION_TEST_POSTGRES`; `cargo xtask services up postgres` starts one.
#![cfg(test)]

mod conflicts;
mod conformance;
mod dedupe;
mod families;
mod faults;
mod inspection;
mod looking_on;
mod migration;
mod pooler;
mod processes;
mod tls;
