//! `image.rectify` and `image.warp`: photographed pages made straight.

mod photo;
mod stages;

pub use stages::{Rectify, Warp, build_rectify, build_warp};
