//! The ready-made stages, on real programs, folders and pictures.
#![cfg(test)]

#[cfg(feature = "documents")]
mod documents;
mod exec;
mod files;
#[cfg(feature = "http")]
mod http_poll;
#[cfg(feature = "images")]
mod images;
#[cfg(feature = "objects")]
mod objects;
mod settings;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
mod workbench;
