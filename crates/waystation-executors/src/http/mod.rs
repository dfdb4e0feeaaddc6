//! `http.poll`: makes a job of each item of a list that somebody serves as JSON.

mod page;
mod poll;

pub use poll::{Settings, build};
