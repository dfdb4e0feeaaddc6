//! What pages are made of.

pub mod badge;
pub mod chart;
pub mod form;
pub mod moment;
pub mod preview;
pub mod setting;
pub mod value;
pub mod words;
