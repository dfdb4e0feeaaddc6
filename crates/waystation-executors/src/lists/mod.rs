//! `split` and `aggregate`: a list for a route with `each`, and what comes of the lists that a join
//! collected.

mod aggregate;
mod measure;
mod split;

pub use aggregate::{Settings as AggregateSettings, build as build_aggregate};
pub use split::{Settings as SplitSettings, build as build_split};
