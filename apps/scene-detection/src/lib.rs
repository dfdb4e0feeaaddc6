//! Bright objects in images: a chain of three stages over real pixels.
//!
//! [`detect`], [`classify`] and [`predict`] are the science: pixels and numbers in, values out,
//! each formula with its source. [`stages`] puts them behind a pipeline, and [`chain`] is that
//! pipeline. What it is for is told in the `README.md` beside.

pub mod accuracy;
pub mod chain;
pub mod classify;
pub mod detect;
pub mod folder;
pub mod object;
pub mod predict;
pub mod raster;
pub mod report;
pub mod run;
pub mod stages;
pub mod synthetic;
