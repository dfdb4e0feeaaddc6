//! What the clouds' stores have in common.

use std::time::Duration;

use async_trait::async_trait;
use object_store::path::Path;
use object_store::signer::{Method, Signer};
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use waystation_core::port::Access;

use crate::objects::Sign;

/// How long one act on a blob is tried again, before the attempt fails and its stage decides.
const RETRIED_FOR: Duration = Duration::from_secs(20);

/// How often a cloud that does not answer is asked again.
pub fn retries() -> RetryConfig {
    let backoff = BackoffConfig::default();
    RetryConfig { backoff, max_retries: 5, retry_timeout: RETRIED_FOR }
}

/// Says which code is behind TLS, unless the program said so before.
pub fn choose_tls() {
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The variables whose names begin so, their names as the stores know them.
pub fn named(variables: &[(String, String)], prefix: &str) -> Vec<(String, String)> {
    let ours =
        variables.iter().filter(|(name, value)| name.starts_with(prefix) && !value.is_empty());
    ours.map(|(name, value)| (name.to_ascii_lowercase(), value.clone())).collect()
}

#[async_trait]
impl<T: ObjectStore + Signer> Sign for T {
    async fn sign(
        &self,
        path: &Path,
        access: Access,
        lasting: Duration,
    ) -> object_store::Result<String> {
        let method = match access {
            Access::Read => Method::GET,
            Access::Write => Method::PUT,
        };
        self.signed_url(method, path, lasting).await.map(String::from)
    }
}
