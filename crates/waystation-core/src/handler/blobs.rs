//! A handler's blobs: what it puts lies under keys of its stage run.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::blob::{BlobKey, BlobRef};
use crate::failure::{ErrorKind, Failure};
use crate::id::{JobId, StageId};
use crate::port::{Access, BLOB_BYTES_MAX, BlobError, BlobStore};

/// The blobs of one stage run.
///
/// What is put gets a name, once within the stage run: a repeated attempt that puts the same name
/// overwrites its own and nobody else's. What comes back is a reference to be returned among the
/// params, by which later stages read the blob.
#[derive(Clone)]
pub struct Blobs {
    store: Option<Arc<dyn BlobStore>>,
    job_id: JobId,
    stage: StageId,
    visit: u32,
}

impl Blobs {
    /// The blobs of a stage run. Without a store every act says how to get one.
    pub fn new(
        store: Option<Arc<dyn BlobStore>>,
        job_id: JobId,
        stage: StageId,
        visit: u32,
    ) -> Self {
        Self { store, job_id, stage, visit }
    }

    /// Writes a blob.
    pub async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<BlobRef, Failure> {
        let (store, key) = (self.store()?, self.key(name)?);
        let size = bytes.len() as u64;
        store.put(&key, bytes).await.map_err(BlobError::into_failure)?;
        Ok(BlobRef { key, bytes: Some(size) })
    }

    /// Reads a blob of at most [`BLOB_BYTES_MAX`].
    pub async fn get(&self, blob: &BlobRef) -> Result<Vec<u8>, Failure> {
        self.store()?.get(&blob.key, BLOB_BYTES_MAX).await.map_err(BlobError::into_failure)
    }

    /// Writes a value as JSON.
    pub async fn put_json<T: Serialize>(&self, name: &str, value: &T) -> Result<BlobRef, Failure> {
        let bytes = serde_json::to_vec(value).map_err(|error| {
            let message = format!("blob `{name}` cannot be written as JSON: {error}");
            Failure::new(ErrorKind::Contract, message)
        })?;
        self.put(name, bytes).await
    }

    /// Reads a value that was written as JSON.
    pub async fn get_json<T: DeserializeOwned>(&self, blob: &BlobRef) -> Result<T, Failure> {
        let bytes = self.get(blob).await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let message = format!("blob `{}` is not what is read from it: {error}", blob.key);
            Failure::new(ErrorKind::InvalidParam, message)
        })
    }

    /// Writes a file of any size.
    pub async fn upload(&self, name: &str, file: impl AsRef<Path>) -> Result<BlobRef, Failure> {
        let (store, key) = (self.store()?, self.key(name)?);
        let size = store.upload(&key, file.as_ref()).await.map_err(BlobError::into_failure)?;
        Ok(BlobRef { key, bytes: Some(size) })
    }

    /// Reads a blob of any size into a file, which then is there whole.
    pub async fn download(&self, blob: &BlobRef, file: impl AsRef<Path>) -> Result<u64, Failure> {
        let file = file.as_ref();
        self.store()?.download(&blob.key, file).await.map_err(BlobError::into_failure)
    }

    /// A URL by which anybody may read the blob for so long. Where the store can sign.
    pub async fn read_url(&self, blob: &BlobRef, lasting: Duration) -> Result<String, Failure> {
        self.signed_url(&blob.key, Access::Read, lasting).await
    }

    /// A URL by which anybody may write a blob of this name, by PUT, for so long; and the
    /// reference to what will be there. Where the store can sign.
    pub async fn write_url(
        &self,
        name: &str,
        lasting: Duration,
    ) -> Result<(BlobRef, String), Failure> {
        let key = self.key(name)?;
        let url = self.signed_url(&key, Access::Write, lasting).await?;
        Ok((BlobRef { key, bytes: None }, url))
    }

    async fn signed_url(
        &self,
        key: &BlobKey,
        access: Access,
        lasting: Duration,
    ) -> Result<String, Failure> {
        self.store()?.signed_url(key, access, lasting).await.map_err(BlobError::into_failure)
    }

    fn store(&self) -> Result<&dyn BlobStore, Failure> {
        self.store.as_deref().ok_or_else(|| BlobError::NotConfigured.into_failure())
    }

    fn key(&self, name: &str) -> Result<BlobKey, Failure> {
        BlobKey::of_stage_run(&self.job_id, &self.stage, self.visit, name)
            .map_err(|bad| Failure::new(ErrorKind::Permanent, bad.to_string()))
    }
}
