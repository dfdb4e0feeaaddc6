//! Pipelines: a named graph of stages, built in Rust or read from YAML.

mod catalog;
mod convert;
mod defaults;
mod entry;
mod environment;
mod fan_out;
mod graph;
mod join;
mod keyed;
pub mod load;
mod model;
mod nearest;
mod needs;
mod passage;
mod problem;
mod routing;
mod supply;
pub mod validate;

pub use catalog::{Catalog, Executor, StageKind, StageType};
pub use convert::{Converted, Remark, convert};
pub use defaults::Defaults;
pub use entry::EntryError;
pub use environment::{Environment, fill};
pub use fan_out::{CHILDREN_BYTES_MAX, CHILDREN_MAX, DEPTH_MAX, FanOut, NoJoin, Over};
pub use graph::Note;
pub use join::{Gathering, Join, OnFailure, Rest, Wait};
pub use keyed::{Keyed, NoKey, OnKeyFailure};
pub use model::{OnStageFailure, ParamsMode, Pipeline, Route, Stage, Target};
pub use nearest::nearest;
pub use problem::{Position, Problem, Problems};
pub use routing::{NoRoute, Onward, Traveller, Way};
pub use supply::Lack;
