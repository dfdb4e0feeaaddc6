//! Waystation's blobs over `object_store`: folders, memory, and the clouds' object storage.
//!
//! A URL names the place and the folder in it below which everything lies. Credentials are not
//! part of it: the clouds' usual variables bring them, which the caller reads.

#[cfg(feature = "azure")]
mod azure;
#[cfg(feature = "cloud")]
mod cloud;
mod error;
#[cfg(feature = "gcs")]
mod gcs;
mod local;
mod objects;
#[cfg(feature = "s3")]
mod s3;
mod transfer;
mod url;

use url::Url;

pub use objects::Objects;

/// Why a URL is no place for blobs.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL cannot be read.
    #[error("blobs URL `{url}`: {message}")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        message: String,
    },
    /// No place has this scheme.
    #[error("blobs URL `{url}`: unknown scheme (known: file, memory, s3, az, gs)")]
    UnknownScheme {
        /// The URL.
        url: String,
    },
    /// The place exists, but not in this build.
    #[error("blobs URL `{url}`: this build has no {feature}")]
    LeftOut {
        /// The URL.
        url: String,
        /// The feature that brings it.
        feature: &'static str,
    },
    /// The place cannot be used.
    #[error("blobs URL `{url}`: {message}")]
    Place {
        /// The URL.
        url: String,
        /// What it said.
        message: String,
    },
}

/// Opens the place that this URL names: `file://FOLDER` (made where it is absent), `memory://`,
/// `s3://BUCKET/FOLDER`, `az://CONTAINER/FOLDER` or `gs://BUCKET/FOLDER`. A cloud is not asked
/// before it is used.
///
/// `variables` are the environment's, of which the clouds' own are taken (`AWS_…`, `AZURE_…`,
/// `GOOGLE_…`).
pub fn open(url: &str, variables: &[(String, String)]) -> Result<Objects, OpenError> {
    let url = Url::parse(url)?;
    #[cfg(not(feature = "cloud"))]
    let _ = variables;
    match url.scheme {
        "file" => local::folder(&url),
        "memory" => Ok(local::memory()),
        #[cfg(feature = "s3")]
        "s3" => s3::open(&url, variables),
        #[cfg(feature = "azure")]
        "az" => azure::open(&url, variables),
        #[cfg(feature = "gcs")]
        "gs" => gcs::open(&url, variables),
        other => Err(not_here(url.whole.to_owned(), other)),
    }
}

/// Why there is no such place in this build.
fn not_here(url: String, scheme: &str) -> OpenError {
    match scheme {
        "s3" => OpenError::LeftOut { url, feature: "s3" },
        "az" => OpenError::LeftOut { url, feature: "azure" },
        "gs" => OpenError::LeftOut { url, feature: "gcs" },
        _ => OpenError::UnknownScheme { url },
    }
}
