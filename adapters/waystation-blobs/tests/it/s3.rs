//! S3, spoken by a `SeaweedFS` of the tests' own (`weed`).

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use waystation_blobs::{Objects, open};
use waystation_core::blob::BlobKey;
use waystation_core::port::{Access, BlobError, BlobStore};
use waystation_testing::blobs;
use waystation_testing::servers::free_port;

const BUCKET: &str = "scans";
const KEY: &str = "testkey";
const START_MAX: Duration = Duration::from_mins(1);
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// A server with one bucket. Ended, and its data removed, when it is dropped.
struct Weed {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Weed {
    async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let identities = format!(
            r#"{{"identities":[{{"name":"t","actions":["Admin","Read","Write","List"],
                 "credentials":[{{"accessKey":"{KEY}","secretKey":"{KEY}"}}]}}]}}"#
        );
        let config = folder.path().join("s3.json");
        std::fs::write(&config, identities).expect("written");
        let (port, filer) = (free_port(), free_port());
        let mut command = Command::new("weed");
        command.args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3"]);
        command.args(["-volume.max=20", "-master.volumeSizeLimitMB=64", "-master.telemetry=false"]);
        command.args(["-s3.port.iceberg=0", "-s3.port.lance=0"]);
        command.arg(format!("-dir={}", folder.path().display()));
        command.arg(format!("-s3.config={}", config.display()));
        command.arg(format!("-s3.port={port}")).arg(format!("-filer.port={filer}"));
        // Each would otherwise be another port and 10,000, which may be none.
        for other in ["s3.port.grpc", "filer.port.grpc", "master.port", "master.port.grpc"] {
            command.arg(format!("-{other}={}", free_port()));
        }
        for other in ["volume.port", "volume.port.grpc"] {
            command.arg(format!("-{other}={}", free_port()));
        }
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().expect("weed starts: is SeaweedFS installed?");
        let weed = Self { process, port, _folder: folder };
        weed.make_bucket(filer).await;
        weed
    }

    /// Waits until it serves, too.
    async fn make_bucket(&self, filer: u16) {
        let (port, client) = (self.port, client());
        eventually(client.post(format!("http://127.0.0.1:{filer}/buckets/{BUCKET}/"))).await;
        eventually(client.get(format!("http://127.0.0.1:{port}/healthz"))).await;
    }

    fn open(&self, key: &str) -> Objects {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        let url = format!("s3://{BUCKET}/a/folder?endpoint={endpoint}&region=us-east-1");
        let keys = [("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", key)];
        let keys = keys.map(|(name, value)| (name.to_owned(), value.to_owned()));
        open(&url, &keys).expect("a URL")
    }
}

impl Drop for Weed {
    fn drop(&mut self) {
        // It takes half a minute to end by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends a request until it is answered well.
async fn eventually(request: reqwest::RequestBuilder) {
    let until = Instant::now() + START_MAX;
    loop {
        let again = request.try_clone().expect("it has no body");
        let answer = again.send().await;
        if answer.as_ref().is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
        assert!(Instant::now() < until, "weed does not serve: {answer:?}");
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

#[tokio::test]
#[ignore = "needs SeaweedFS (weed)"]
async fn s3_of_weed_keeps_its_promises() {
    let weed = Weed::start().await;
    blobs::check(&weed.open(KEY)).await;
}

#[tokio::test]
#[ignore = "needs SeaweedFS (weed)"]
async fn signed_urls_of_weed_open_one_blob_each() {
    let weed = Weed::start().await;
    let store = weed.open(KEY);
    let key = BlobKey::parse("a b/page.png").expect("a key");
    let lasting = Duration::from_mins(1);
    let write = store.signed_url(&key, Access::Write, lasting).await.expect("signed");
    let put = client().put(&write).body("pixels").send().await.expect("an answer");
    assert!(put.status().is_success(), "{put:?}");
    assert_eq!(store.get(&key, 100).await.expect("it is there"), b"pixels");
    let read = store.signed_url(&key, Access::Read, lasting).await.expect("signed");
    let got = client().get(&read).send().await.expect("an answer");
    assert_eq!(got.bytes().await.expect("a body"), "pixels");
    let tampered = client().get(read.replace("page.png", "other.png")).send().await;
    assert_eq!(tampered.expect("an answer").status(), 403);
}

#[tokio::test]
#[ignore = "needs SeaweedFS (weed)"]
async fn wrong_key_is_refused_by_weed_for_good() {
    let weed = Weed::start().await;
    let key = BlobKey::parse("a").expect("a key");
    let error = weed.open("wrong").put(&key, Vec::new()).await.expect_err("a wrong key");
    assert!(matches!(error, BlobError::Broken { .. }), "{error}");
    let file = tempfile::NamedTempFile::new().expect("a file");
    let error = weed.open("wrong").upload(&key, file.path()).await.expect_err("a wrong key");
    assert!(matches!(error, BlobError::Broken { .. }), "{error}");
}
