//! The blob port: object storage for what is too large to travel.

use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;

use crate::blob::BlobKey;
use crate::failure::{ErrorKind, Failure};

/// The largest blob that is read into memory at once (64 MiB). Larger ones go through files.
pub const BLOB_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// What the holder of a signed URL may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read the blob, by GET.
    Read,
    /// Write the blob, by PUT.
    Write,
}

/// Keeps blobs by their keys. What is written is durable when the call returns, whole or not at
/// all, and takes the place of what lay under the key. No call may be relied on to end what it
/// began when it is dropped.
#[async_trait]
pub trait BlobStore: Send + Sync {
    /// Writes a blob. Idempotent.
    async fn put(&self, key: &BlobKey, bytes: Vec<u8>) -> Result<(), BlobError>;

    /// Reads a blob of at most `bytes_max`.
    async fn get(&self, key: &BlobKey, bytes_max: u64) -> Result<Vec<u8>, BlobError>;

    /// Writes a blob from a file of any size, piece by piece, and tells its size. Idempotent.
    async fn upload(&self, key: &BlobKey, file: &Path) -> Result<u64, BlobError>;

    /// Reads a blob of any size into a file, which then is there whole. Tells its size.
    async fn download(&self, key: &BlobKey, file: &Path) -> Result<u64, BlobError>;

    /// A URL by which anybody may read or write the blob for so long.
    async fn signed_url(
        &self,
        key: &BlobKey,
        access: Access,
        lasting: Duration,
    ) -> Result<String, BlobError>;
}

/// Why nothing came of an act on a blob.
#[derive(Clone, Debug, thiserror::Error)]
pub enum BlobError {
    /// Nobody said where blobs go.
    #[error(
        "there is nowhere to keep blobs (hint: `--blobs URL`, $WAYSTATION_BLOBS or `App::blobs`, \
         as file://FOLDER)"
    )]
    NotConfigured,
    /// There is no such blob.
    #[error("there is no blob `{key}` in {store}")]
    NotFound {
        /// Its key.
        key: BlobKey,
        /// Where it was looked for.
        store: String,
    },
    /// It is too large to be read into memory.
    #[error(
        "blob `{key}` is {bytes} bytes, more than the {bytes_max} that are read into memory \
         (hint: download it into a file)"
    )]
    TooLarge {
        /// Its key.
        key: BlobKey,
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The store signs no URLs.
    #[error("{store} gives no signed URLs (hint: s3://, az:// and gs:// do)")]
    Unsigned {
        /// Which store.
        store: String,
    },
    /// A file on this machine cannot be read or written.
    #[error("file {file}: {message}")]
    File {
        /// The file.
        file: String,
        /// What the system said.
        message: String,
    },
    /// The store cannot be used now, but may be later.
    #[error("{store} is unavailable: {message}")]
    Unavailable {
        /// Which store.
        store: String,
        /// What it said.
        message: String,
    },
    /// The store cannot be used, and waiting will not help.
    #[error("{store}: {message}")]
    Broken {
        /// Which store.
        store: String,
        /// What it said.
        message: String,
    },
}

impl BlobError {
    /// The failure of an attempt that cannot go on for this.
    pub fn into_failure(self) -> Failure {
        let kind = match &self {
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::TooLarge { .. } => ErrorKind::InvalidParam,
            Self::NotConfigured | Self::Unsigned { .. } | Self::Broken { .. } => {
                ErrorKind::Permanent
            }
            Self::Unavailable { .. } => ErrorKind::Transient,
            Self::File { .. } => ErrorKind::Error,
        };
        Failure::new(kind, self.to_string())
    }
}
