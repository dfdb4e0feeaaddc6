//! The promises of the blob port, as cases that every place for blobs runs.

use std::path::Path;

use waystation_core::blob::BlobKey;
use waystation_core::port::{BlobError, BlobStore};

/// More than one piece of an upload.
const MANY_BYTES: usize = 23 * 1024 * 1024 + 7;

/// Runs every case.
pub async fn check(store: &dyn BlobStore) {
    last_write_holds(store).await;
    blobs_lie_where_their_keys_say(store).await;
    absent_blob_is_named(store).await;
    large_blob_is_not_read_into_memory(store).await;
    files_of_any_size_go_and_come_whole(store).await;
}

/// What is written takes the place of what was there.
pub async fn last_write_holds(store: &dyn BlobStore) {
    let key = key("overwritten/a");
    for bytes in [&b"first, and longer"[..], b"second", b""] {
        store.put(&key, bytes.to_vec()).await.expect("written");
        assert_eq!(store.get(&key, 100).await.expect("read"), bytes);
    }
}

/// Keys with anything in them are apart from each other.
pub async fn blobs_lie_where_their_keys_say(store: &dyn BlobStore) {
    let keys = ["apart/a b", "apart/a%20b", "apart/ä#?", "apart/a/b", "apart/%2E%2E"].map(key);
    for key in &keys {
        store.put(key, key.as_str().into()).await.expect("written");
    }
    for key in &keys {
        let read = store.get(key, 100).await.expect("read");
        assert_eq!(read, key.as_str().as_bytes());
    }
}

/// A blob that is not there is an error that names it, and no file comes of it.
pub async fn absent_blob_is_named(store: &dyn BlobStore) {
    let absent = key("absent/a");
    let error = store.get(&absent, 100).await.expect_err("absent");
    assert!(matches!(&error, BlobError::NotFound { key, .. } if *key == absent), "{error}");
    let folder = tempfile::tempdir().expect("a folder");
    let error = store.download(&absent, &folder.path().join("a")).await.expect_err("absent");
    assert!(matches!(error, BlobError::NotFound { .. }), "{error}");
    assert_eq!(files_in(folder.path()), 0);
}

/// The limit of a read is held before anything is read.
pub async fn large_blob_is_not_read_into_memory(store: &dyn BlobStore) {
    let key = key("large/a");
    store.put(&key, vec![7; 100]).await.expect("written");
    assert_eq!(store.get(&key, 100).await.expect("read").len(), 100);
    let error = store.get(&key, 99).await.expect_err("too large");
    assert!(matches!(error, BlobError::TooLarge { bytes: 100, bytes_max: 99, .. }), "{error}");
}

/// Files go piece by piece, and nothing is left beside those that come.
pub async fn files_of_any_size_go_and_come_whole(store: &dyn BlobStore) {
    let folder = tempfile::tempdir().expect("a folder");
    for size in [0, 1, MANY_BYTES] {
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        let bytes: Vec<u8> = (0..size).map(|place| (place % 251) as u8).collect();
        std::fs::write(&from, &bytes).expect("a file");
        let key = key("files/a");
        assert_eq!(store.upload(&key, &from).await.expect("uploaded"), size as u64);
        assert_eq!(store.download(&key, &to).await.expect("downloaded"), size as u64);
        assert!(std::fs::read(&to).expect("a file") == bytes, "{size} bytes came back changed");
    }
    assert_eq!(files_in(folder.path()), 2);
    let nowhere = folder.path().join("nowhere/to");
    let error = store.download(&key("files/a"), &nowhere).await.expect_err("no folder");
    assert!(matches!(error, BlobError::File { .. }), "{error}");
    let error = store.upload(&key("files/b"), &nowhere).await.expect_err("no file");
    assert!(matches!(error, BlobError::File { .. }), "{error}");
}

fn key(text: &str) -> BlobKey {
    BlobKey::parse(text).expect("a good key")
}

fn files_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).expect("the folder").count()
}
