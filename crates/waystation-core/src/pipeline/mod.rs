//! Pipelines: a named graph of stages, built in Rust or read from YAML.

mod catalog;
mod model;
mod problem;
mod routing;

pub use catalog::{Catalog, Executor, StageKind};
pub use model::{ParamsMode, Pipeline, Route, Stage, Target};
pub use problem::{Position, Problem, Problems};
pub use routing::{NoRoute, Onward};
