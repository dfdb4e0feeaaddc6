//! The blob port over any object store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use object_store::path::Path;
use object_store::{GetResult, ObjectStore, ObjectStoreExt};
use waystation_core::blob::BlobKey;
use waystation_core::port::{Access, BlobError, BlobStore};

use crate::error::explain;
use crate::transfer;

/// A place for blobs. Clones share it.
#[derive(Clone)]
pub struct Objects {
    /// Its URL, for messages.
    name: Arc<str>,
    store: Arc<dyn ObjectStore>,
    signer: Option<Arc<dyn Sign>>,
    /// The folder below which everything lies.
    root: Path,
}

/// Signs URLs.
#[async_trait]
pub(crate) trait Sign: Send + Sync {
    /// A URL by which anybody may do this with an object, for so long.
    async fn sign(
        &self,
        path: &Path,
        access: Access,
        lasting: Duration,
    ) -> object_store::Result<String>;
}

impl Objects {
    /// A store that signs no URLs.
    pub(crate) fn new(name: &str, store: impl ObjectStore, root: Path) -> Self {
        Self { name: name.into(), store: Arc::new(store), signer: None, root }
    }

    /// A store that signs URLs.
    #[cfg(feature = "cloud")]
    pub(crate) fn signing<T: ObjectStore + Sign>(name: &str, store: T, root: Path) -> Self {
        let store = Arc::new(store);
        let signer = Arc::clone(&store) as Arc<dyn Sign>;
        Self { name: name.into(), store, signer: Some(signer), root }
    }

    fn path(&self, key: &BlobKey) -> Result<Path, BlobError> {
        let below = Path::parse(key.as_str());
        let below = below.map_err(|error| self.explain(key, &error.into()))?;
        Ok(self.root.parts().chain(below.parts()).collect())
    }

    async fn open(&self, key: &BlobKey) -> Result<GetResult, BlobError> {
        let opened = self.store.get(&self.path(key)?).await;
        opened.map_err(|error| self.explain(key, &error))
    }

    fn explain(&self, key: &BlobKey, error: &object_store::Error) -> BlobError {
        explain(&self.name, key, error)
    }
}

#[async_trait]
impl BlobStore for Objects {
    async fn put(&self, key: &BlobKey, bytes: Vec<u8>) -> Result<(), BlobError> {
        let put = self.store.put(&self.path(key)?, bytes.into()).await;
        put.map(drop).map_err(|error| self.explain(key, &error))
    }

    async fn get(&self, key: &BlobKey, bytes_max: u64) -> Result<Vec<u8>, BlobError> {
        let found = self.open(key).await?;
        let bytes = found.meta.size;
        if bytes > bytes_max {
            return Err(BlobError::TooLarge { key: key.clone(), bytes, bytes_max });
        }
        let read = found.bytes().await;
        read.map(Vec::from).map_err(|error| self.explain(key, &error))
    }

    async fn upload(&self, key: &BlobKey, file: &std::path::Path) -> Result<u64, BlobError> {
        let to = self.path(key)?;
        transfer::upload(&self.store, to, file, |error| self.explain(key, error)).await
    }

    async fn download(&self, key: &BlobKey, file: &std::path::Path) -> Result<u64, BlobError> {
        let found = self.open(key).await?;
        transfer::download(found, file, |error| self.explain(key, error)).await
    }

    async fn signed_url(
        &self,
        key: &BlobKey,
        access: Access,
        lasting: Duration,
    ) -> Result<String, BlobError> {
        let Some(signer) = &self.signer else {
            return Err(BlobError::Unsigned { store: self.name.to_string() });
        };
        let signed = signer.sign(&self.path(key)?, access, lasting).await;
        signed.map_err(|error| self.explain(key, &error))
    }
}
