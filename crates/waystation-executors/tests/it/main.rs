//! The ready-made stages, on real programs, folders and pictures.
#![cfg(test)]

#[cfg(feature = "documents")]
mod documents;
mod exec;
mod fields;
mod files;
#[cfg(feature = "http")]
mod http_poll;
#[cfg(feature = "http")]
mod http_request;
#[cfg(feature = "images")]
mod images;
mod lists;
#[cfg(feature = "http")]
mod models;
#[cfg(feature = "objects")]
mod objects;
#[cfg(feature = "objects")]
mod objects_write;
#[cfg(feature = "http")]
mod server;
mod settings;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod sql_write;
#[cfg(feature = "text")]
mod texts;
mod workbench;
