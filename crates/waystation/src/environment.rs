//! Where the names in pipeline files get their values from.

use std::collections::BTreeMap;
use std::sync::Arc;

use waystation_engine::Environment;

/// Values given by hand first, then the environment of the process.
pub fn environment(given: BTreeMap<String, String>) -> Environment {
    environment_with(given, BTreeMap::new())
}

/// The same, and then further values, such as those of a file `.env`.
pub fn environment_with(
    given: BTreeMap<String, String>,
    further: BTreeMap<String, String>,
) -> Environment {
    Arc::new(move |name| {
        let given = given.get(name).cloned();
        given.or_else(|| std::env::var(name).ok()).or_else(|| further.get(name).cloned())
    })
}
