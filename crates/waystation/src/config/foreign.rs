//! Variables of ContentFlow that have no meaning here, and why.

use std::collections::BTreeMap;

const AZURE: &str = "the queue and the store are named by their URLs: `queue`, `store`";
const BLOBS: &str = "the place for blobs is named by its URL: `blobs`";
const APP_CONFIG: &str = "settings come from a file, from variables and from flags alone";
const WAKE_UPS: &str = "workers are woken when there is work";

const UNUSED: [(&str, &str); 22] = [
    ("AZURE_APP_CONFIG_ENDPOINT", APP_CONFIG),
    ("APP_CONFIG_KEY_FILTERS", APP_CONFIG),
    ("STORAGE_ACCOUNT_WORKER_QUEUE_URL", AZURE),
    ("STORAGE_WORKER_QUEUE_NAME", AZURE),
    ("QUEUE_POLL_INTERVAL_SECONDS", WAKE_UPS),
    ("QUEUE_MAX_MESSAGES", "how much a worker takes follows from `concurrency` of its stages"),
    ("COSMOS_DB_ENDPOINT", AZURE),
    ("COSMOS_DB_NAME", AZURE),
    ("COSMOS_DB_CONTAINER_PIPELINES", AZURE),
    ("COSMOS_DB_CONTAINER_VAULT_EXECUTIONS", AZURE),
    ("COSMOS_DB_CONTAINER_VAULTS", AZURE),
    ("COSMOS_DB_CONTAINER_CRAWL_CHECKPOINTS", AZURE),
    ("COSMOS_DB_CONTAINER_LOCKS", AZURE),
    ("COSMOS_DB_CONTAINER_VAULT_EXECUTION_LOCKS", AZURE),
    ("BLOB_STORAGE_ACCOUNT_NAME", BLOBS),
    ("BLOB_STORAGE_CONTAINER_NAME", BLOBS),
    ("SCHEDULER_SLEEP_INTERVAL_SECONDS", WAKE_UPS),
    ("SOURCE_WORKER_POLL_INTERVAL_SECONDS", WAKE_UPS),
    ("STORAGE_ACCOUNT_NAME", BLOBS),
    ("STORAGE_CONTAINER_NAME", BLOBS),
    ("APPLICATIONINSIGHTS_CONNECTION_STRING", "traces go to OTEL_EXPORTER_OTLP_ENDPOINT"),
    ("DEBUG", "how much is logged is said by `log_level`"),
];

/// Those that are set, and why nothing comes of it.
pub fn unused(variables: &BTreeMap<String, String>) -> Vec<(&'static str, &'static str)> {
    let is_set = |name: &str| variables.get(name).is_some_and(|value| !value.is_empty());
    UNUSED.into_iter().filter(|(name, _)| is_set(name)).collect()
}
