//! Why a document is not read, in words for whoever sent it: what is wrong first, then more of it.

use std::any::Any;
use std::fmt::Display;

use waystation_core::failure::truncate;

/// The longest reason, in bytes.
const BYTES_MAX: usize = 1_000;

/// Why a document is not read.
#[derive(Debug)]
pub struct Refusal(pub String);

impl Refusal {
    /// For this reason.
    pub fn new(why: impl Into<String>) -> Self {
        let mut why = why.into();
        truncate(&mut why, BYTES_MAX);
        Self(why)
    }

    /// It is not as its format says.
    pub fn broken(error: &dyn Display) -> Self {
        Self::new(format!("broken: {error}"))
    }

    /// Its end is missing.
    pub fn truncated(what: &str) -> Self {
        Self::new(format!("truncated: {what}"))
    }

    /// It is to be opened by a password.
    pub fn encrypted() -> Self {
        Self::new("encrypted: it opens with a password only")
    }

    /// What is read of it is more than may be.
    pub fn long(bytes_max: u64) -> Self {
        Self::new(format!(
            "long: what is read of it has more than {bytes_max} bytes (hint: `max_output_bytes`)"
        ))
    }

    /// It has more of these than are taken, as this setting says.
    pub fn more_than(count_max: usize, what: &str, setting: &str) -> Self {
        Self::new(format!("more than {count_max} {what} (hint: `{setting}`)"))
    }

    /// It took its reader by surprise.
    pub fn panicked(panic: &(dyn Any + Send)) -> Self {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Self::broken(&text.unwrap_or_else(|| "its reader gave up".to_owned()))
    }
}
