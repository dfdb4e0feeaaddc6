//! Files to blobs and back, piece by piece.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::TryStreamExt;
use object_store::buffered::BufWriter;
use object_store::path::Path as ObjectPath;
use object_store::{GetResult, ObjectStore};
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufReader};
use waystation_core::port::BlobError;

/// Pieces of an upload. The clouds take no smaller ones than 5 MiB, and 10,000 of them.
const PIECE_BYTES: usize = 10 * 1024 * 1024;
/// A file is read in pieces of this size.
const READ_BYTES: usize = 1024 * 1024;

/// Writes an object from a file. What was begun is given up where it cannot be ended.
pub async fn upload(
    store: &Arc<dyn ObjectStore>,
    to: ObjectPath,
    file: &Path,
    explain: impl Fn(&object_store::Error) -> BlobError,
) -> Result<u64, BlobError> {
    let opened = File::open(file).await.map_err(|error| of_file(file, &error))?;
    let mut reader = BufReader::with_capacity(READ_BYTES, opened);
    let mut writer = BufWriter::with_capacity(Arc::clone(store), to, PIECE_BYTES);
    let copied = tokio::io::copy_buf(&mut reader, &mut writer).await;
    if copied.is_err() {
        // Its pieces would be paid for; where that fails too, the store's own rules end them.
        let _ = writer.abort().await;
    }
    let ended = match copied {
        // Gives up by itself what it cannot end.
        Ok(bytes) => writer.shutdown().await.map(|()| bytes),
        Err(error) => Err(error),
    };
    ended.map_err(|error| {
        let of_store = error.get_ref().and_then(|cause| cause.downcast_ref());
        of_store.map_or_else(|| of_file(file, &error), explain)
    })
}

/// Reads an object into a file beside its place first, so that it is there whole or not at all.
pub async fn download(
    found: GetResult,
    file: &Path,
    explain: impl Fn(&object_store::Error) -> BlobError,
) -> Result<u64, BlobError> {
    let part = beside(file);
    let written = write_out(found, &part, explain).await;
    let kept = match written {
        Ok(bytes) => tokio::fs::rename(&part, file)
            .await
            .map(|()| bytes)
            .map_err(|error| of_file(file, &error)),
        Err(error) => Err(error),
    };
    if kept.is_err() {
        let _ = tokio::fs::remove_file(&part).await;
    }
    kept
}

async fn write_out(
    found: GetResult,
    part: &Path,
    explain: impl Fn(&object_store::Error) -> BlobError,
) -> Result<u64, BlobError> {
    let of_part = |error| of_file(part, &error);
    let mut pieces = found.into_stream();
    let mut file = File::create(part).await.map_err(of_part)?;
    let mut bytes = 0;
    while let Some(piece) = pieces.try_next().await.map_err(|error| explain(&error))? {
        file.write_all(&piece).await.map_err(of_part)?;
        bytes += piece.len() as u64;
    }
    file.sync_all().await.map_err(of_part)?;
    Ok(bytes)
}

/// A name of this process's own beside a file.
fn beside(file: &Path) -> PathBuf {
    let mut name = file.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.part", std::process::id()));
    file.with_file_name(name)
}

fn of_file(file: &Path, error: &io::Error) -> BlobError {
    BlobError::File { file: file.display().to_string(), message: error.to_string() }
}
