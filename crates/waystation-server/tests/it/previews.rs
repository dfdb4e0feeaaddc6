//! Blobs and files, shown so that they can do nothing.

use std::path::Path;

use waystation_core::blob::BlobKey;
use waystation_server::{Limits, Options};

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blobs_are_shown_or_offered_and_never_run() {
    let limits = Limits { preview_bytes_max: 100, ..Limits::default() };
    let world = World::with(Options { limits, ..Options::default() }).await;
    let blobs = world.client.backend().blobs.clone().unwrap();
    for (key, size) in [("jobs/j/a b.png", 3), ("jobs/j/page.html", 3), ("x/large.txt", 101)] {
        blobs.put(&BlobKey::parse(key).unwrap(), vec![b'x'; size]).await.unwrap();
    }
    for (path, kind, disposition) in [
        ("jobs/j/a%20b.png", "image/png", "inline"),
        ("jobs/j/page.html", "application/octet-stream", "attachment"),
    ] {
        let answer = world.get(&format!("/api/v1/blobs/{path}")).await.is(200);
        assert_eq!(answer.body, "xxx");
        assert_eq!(answer.headers["content-type"], kind);
        assert_eq!(answer.headers["content-disposition"], disposition);
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("sandbox"), "{policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    }
    world.get("/api/v1/blobs/none").await.problem(404, "not_found");
    world.get("/api/v1/blobs/x/large.txt").await.problem(413, "too_large");
    world.get("/api/v1/blobs/a//b").await.problem(422, "invalid");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_the_named_folders_are_shown_and_no_others() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let options = Options { preview_folders: vec![folder.clone()], ..Options::default() };
    let world = World::with(options).await;
    let file = |path: &str| {
        let request = world.request(reqwest::Method::GET, "/api/v1/files");
        crate::world::send(request.query(&[("path", path)]))
    };
    let answer = file(folder.join("it/main.rs").to_str().unwrap()).await.is(200);
    assert_eq!(answer.headers["content-disposition"], "attachment");
    file("it/main.rs").await.is(200);
    let outside = folder.parent().unwrap().join("Cargo.toml");
    for path in [outside.to_str().unwrap(), "../Cargo.toml", "it", "/etc/passwd", "none"] {
        file(path).await.problem(404, "not_found");
    }
    world.get("/api/v1/files").await.problem(400, "bad_request");
    world.end().await;
}
