//! Tables: rows of values.

mod csv;
mod rows;
mod sheets;

pub use csv::csv;
pub use sheets::{sheets, xlsx};
