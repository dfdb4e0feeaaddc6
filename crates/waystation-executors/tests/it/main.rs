//! The ready-made stages, on real programs, folders and pictures.
#![cfg(test)]

mod exec;
mod files;
mod images;
mod settings;
mod workbench;
