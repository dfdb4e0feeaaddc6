//! The SQLite store, held against the promises of the ports and against what it adds to them.
#![cfg(test)]

mod conformance;
mod files;
mod migration;
mod million;
mod processes;
