//! What pages are made of.

pub mod badge;
pub mod chart;
pub mod moment;
pub mod value;
