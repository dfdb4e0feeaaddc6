//! Documents of a folder or a bucket, searched by their words.
//!
//! A pipeline finds them ([`chain`]), a full-text index of SQLite keeps their chunks ([`index`]), a
//! query is what a person types ([`query`]).

pub mod chain;
pub mod index;
pub mod place;
pub mod query;
