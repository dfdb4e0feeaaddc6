//! `http` and `http.poll`: asking others, once for a job or again and again for their list.

mod page;
mod parts;
mod poll;
mod request;
mod statuses;

pub use poll::{Settings, build};
pub use request::{Settings as RequestSettings, build as build_request};
