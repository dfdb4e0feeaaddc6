//! `image.rectify` and `image.warp`: photographed pages made straight.

mod photo;
mod stages;

pub use stages::{build_rectify, build_warp};
