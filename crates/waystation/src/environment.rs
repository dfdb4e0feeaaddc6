//! Where the names in pipeline files get their values from.

use std::collections::BTreeMap;
use std::sync::Arc;

use waystation_engine::Environment;

/// Values given by hand first, then the environment of the process.
pub fn environment(given: BTreeMap<String, String>) -> Environment {
    Arc::new(move |name| given.get(name).cloned().or_else(|| std::env::var(name).ok()))
}
