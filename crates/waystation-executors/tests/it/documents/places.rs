//! Where documents may be, and programs that read none.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use waystation_core::blob::BlobKey;
use waystation_core::failure::ErrorKind;
use waystation_core::port::{Access, BlobError, BlobStore};

use super::made::pdf;
use super::parse_here;
use crate::workbench::{Bench, once, worker};

/// One blob.
struct OneBlob(Vec<u8>);

#[async_trait]
impl BlobStore for OneBlob {
    async fn put(&self, _: &BlobKey, _: Vec<u8>) -> Result<(), BlobError> {
        Err(BlobError::NotConfigured)
    }

    async fn get(&self, _: &BlobKey, _: u64) -> Result<Vec<u8>, BlobError> {
        Ok(self.0.clone())
    }

    async fn upload(&self, _: &BlobKey, _: &Path) -> Result<u64, BlobError> {
        Err(BlobError::NotConfigured)
    }

    async fn download(&self, _: &BlobKey, file: &Path) -> Result<u64, BlobError> {
        std::fs::write(file, &self.0).expect("written");
        Ok(self.0.len() as u64)
    }

    async fn signed_url(&self, _: &BlobKey, _: Access, _: Duration) -> Result<String, BlobError> {
        Err(BlobError::NotConfigured)
    }
}

#[tokio::test]
async fn documents_are_files_urls_and_blobs() {
    parse_here();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.pdf");
    std::fs::write(&path, pdf(&["one", "two"])).expect("written");
    let url = format!("file://{}", path.display());
    for (settings, params) in [
        (json!({}), json!({ "path": path })),
        (json!({}), json!({ "url": url })),
        (json!({ "from": "scan" }), json!({ "scan": url, "path": "elsewhere" })),
    ] {
        let got = once("pdf.text", settings, params.clone()).await.expect("read");
        assert_eq!(got["text"], "one\n\ntwo", "{params}");
        assert_eq!(got["document"]["title"], "A title");
    }
    let bench = Bench { blobs: Some(Arc::new(OneBlob(pdf(&["kept"])))), ..Bench::new() };
    let handler = worker("document.text", json!({ "pages": true, "facts": "about" }));
    let params = json!({ "path": { "$blob": "jobs/1/scan/1/x" } });
    let done = bench.run(&*handler, params).await.expect("read");
    assert_eq!(
        (&done.output["text"], &done.output["about"]["pages"]),
        (&json!(["kept"]), &json!(1))
    );
}

#[tokio::test]
async fn documents_that_are_not_there_are_named() {
    parse_here();
    for (params, kind, part) in [
        (json!({}), ErrorKind::MissingParam, "param `path` or `url`"),
        (json!({ "path": 3 }), ErrorKind::InvalidParam, "a path, a URL or a blob, not 3"),
        (json!({ "path": "/no/a.pdf" }), ErrorKind::NotFound, "cannot read /no/a.pdf"),
        (json!({ "path": "/" }), ErrorKind::InvalidParam, "it is no file"),
        (json!({ "path": { "blob": 1 } }), ErrorKind::InvalidParam, "a reference to a blob"),
        (json!({ "url": "ftp://x/y" }), ErrorKind::InvalidParam, "unknown scheme"),
        (json!({ "url": "s3://x/y?endpoint=http://z" }), ErrorKind::InvalidParam, "no query"),
        (json!({ "url": "memory:///y.pdf" }), ErrorKind::NotFound, "cannot read memory:///y.pdf"),
    ] {
        let failure = once("pdf.text", json!({}), params).await.expect_err(part);
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(failure.message.contains(part), "{failure}");
    }
}

/// Says that this program is to be one that never asked.
const UNASKED: &str = "WAYSTATION_TEST_UNASKED";

/// Fails to read, where [`programs_that_never_asked_are_told`] started this program for that.
#[test]
fn unasked_process() {
    let Some(wanted) = std::env::var_os(UNASKED) else { return };
    if wanted == "other" {
        waystation_executors::documents::parse_by(|| Command::new("true"));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let read = once("csv.rows", json!({ "max_seconds": 50 }), json!({ "path": "Cargo.toml" }));
    let failure = runtime.expect("a runtime").block_on(read).expect_err("it fails");
    println!("\n{}", json!({ "kind": failure.kind, "message": failure.message }));
}

#[test]
fn programs_that_never_asked_are_told() {
    for (wanted, expected) in
        [("never", "never called `parse_if_asked`"), ("other", "did something else")]
    {
        let program = std::env::current_exe().expect("this program");
        let mut command = Command::new(program);
        command.args(["documents::places::unasked_process", "--exact", "--nocapture"]);
        let output = command.env(UNASKED, wanted).output().expect("it ran");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = said.lines().find(|line| line.starts_with('{')).expect("a failure");
        let failure: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(failure["kind"], "permanent", "{failure}");
        let message = failure["message"].as_str().expect("a text");
        assert!(message.contains(expected), "{message}");
    }
}
