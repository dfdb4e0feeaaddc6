//! The ready-made stages, on real programs, folders and pictures.
#![cfg(test)]

mod exec;
mod fields;
mod files;
#[cfg(feature = "http")]
mod http_poll;
#[cfg(feature = "images")]
mod images;
mod lists;
#[cfg(feature = "objects")]
mod objects;
mod settings;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(feature = "text")]
mod texts;
mod workbench;
