//! Blobs on this machine: in a folder, or in memory.

use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;

use crate::url::Url;
use crate::{Objects, OpenError};

/// A folder, which is made where it is absent. What is written there is flushed to the disk
/// before it counts as written.
pub fn folder(url: &Url<'_>) -> Result<Objects, OpenError> {
    let folder = url.folder()?;
    std::fs::create_dir_all(folder).map_err(|error| url.unusable(&error))?;
    let files = LocalFileSystem::new_with_prefix(folder).map_err(|error| url.unusable(&error))?;
    Ok(Objects::new(url.whole, files.with_fsync(true), Path::ROOT))
}

/// Memory, gone with the process.
pub fn memory() -> Objects {
    Objects::new("memory://", InMemory::new(), Path::ROOT)
}
