//! Folders and memory.

use std::time::Duration;

use waystation_blobs::{Objects, open};
use waystation_core::blob::BlobKey;
use waystation_core::port::{Access, BlobError, BlobStore};
use waystation_testing::blobs;

fn opened(url: &str) -> Objects {
    open(url, &[]).expect(url)
}

#[tokio::test]
async fn folder_keeps_its_promises() {
    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("made/here");
    blobs::check(&opened(&format!("file://{}", below.display()))).await;
}

#[tokio::test]
async fn memory_keeps_its_promises() {
    blobs::check(&opened("memory://")).await;
}

#[tokio::test]
async fn blobs_of_a_folder_are_its_files() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(&format!("file://{}", folder.path().display()));
    let key = BlobKey::of_stage_run(&"a/b".into(), &"scan".into(), 2, "page.png").expect("a key");
    store.put(&key, b"pixels".to_vec()).await.expect("written");
    let file = folder.path().join("jobs/a%2Fb/scan/2/page.png");
    assert_eq!(std::fs::read(file).expect("a file"), b"pixels");
}

#[tokio::test]
async fn what_cannot_sign_says_who_can() {
    let key = BlobKey::parse("a").expect("a key");
    let signed = opened("memory://").signed_url(&key, Access::Read, Duration::from_secs(1)).await;
    let error = signed.expect_err("memory signs nothing");
    assert!(matches!(error, BlobError::Unsigned { .. }), "{error}");
    assert!(error.to_string().contains("s3://, az:// and gs:// do"), "{error}");
}
