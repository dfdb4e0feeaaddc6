//! Small updates about many entities, applied one at a time per entity and in order, by any number
//! of workers.

pub mod api;
pub mod chain;
pub mod entities;
pub mod hooks;
pub mod point;
