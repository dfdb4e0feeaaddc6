//! `files` and `files.write` on real folders.

use std::collections::BTreeSet;

use serde_json::json;
use waystation_core::failure::ErrorKind;
use waystation_core::source::{BATCH_MAX, Source};

use crate::workbench::{once, source};

async fn names(source: &dyn Source) -> Vec<String> {
    let mut names = Vec::new();
    loop {
        let found = source.discover(None).await.expect("discovered");
        assert!(found.items.len() <= BATCH_MAX);
        for item in &found.items {
            names.push(item.params["name"].as_str().expect("a name").to_owned());
        }
        if !found.more {
            return names;
        }
    }
}

#[tokio::test]
async fn each_file_is_found_once_and_again_when_it_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| {
        std::fs::write(folder.path().join(name), text).expect("written");
    };
    std::fs::create_dir(folder.path().join("sub")).expect("a folder");
    for name in ["b.txt", "a.txt", "skip.md", "sub/c.txt"] {
        write(name, "one");
    }
    let patterns = json!(["*.txt", "sub/*"]);
    let found = source(json!({ "folder": folder.path(), "patterns": patterns }));
    assert_eq!(names(&*found).await, ["a.txt", "b.txt", "c.txt"]);
    assert!(names(&*found).await.is_empty());
    write("a.txt", "longer than before");
    assert_eq!(names(&*found).await, ["a.txt"]);
    let flat = json!({ "folder": folder.path(), "patterns": "*.txt", "recursive": false });
    assert_eq!(names(&*source(flat)).await, ["a.txt", "b.txt"]);
}

#[tokio::test]
async fn ids_stay_the_same_over_restarts_and_follow_the_content_when_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a"), "same").expect("written");
    std::fs::write(folder.path().join("b"), "same").expect("written");
    for (identity, different) in [("stat", 2), ("content", 1)] {
        let settings = json!({ "folder": folder.path(), "identity": identity });
        let ids = async || {
            let found = source(settings.clone()).discover(None).await.expect("discovered");
            found.items.into_iter().map(|item| item.id).collect::<BTreeSet<_>>()
        };
        let first = ids().await;
        assert_eq!(first.len(), different, "{identity}");
        assert_eq!(first, ids().await, "{identity}");
    }
}

#[tokio::test]
async fn large_folders_come_in_batches() {
    let folder = tempfile::tempdir().expect("a folder");
    for number in 0..=BATCH_MAX {
        std::fs::write(folder.path().join(format!("{number:04}")), "").expect("written");
    }
    let found = source(json!({ "folder": folder.path() }));
    assert_eq!(names(&*found).await.len(), BATCH_MAX + 1);
}

#[tokio::test]
async fn folder_that_cannot_be_read_is_named() {
    let found = source(json!({ "url": "file:///no/such/folder" }));
    let failure = found.discover(None).await.expect_err("absent");
    assert_eq!(failure.kind, ErrorKind::NotFound);
    assert!(failure.message.contains("cannot read /no/such/folder"), "{failure}");
}

#[tokio::test]
async fn file_is_written_whole_again_the_same_and_never_over_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let page = folder.path().join("in.png");
    std::fs::write(&page, "picture").expect("written");
    let out = folder.path().join("out");
    let settings = json!({ "folder": out, "source": "page", "name": "{stem}.png" });
    let params = json!({ "page": page, "name": "scan.jpg" });
    for _ in 0..2 {
        let output = once("files.write", settings.clone(), params.clone()).await.expect("written");
        assert_eq!(output, json!({ "written": out.join("scan.png") }));
    }
    assert_eq!(std::fs::read(out.join("scan.png")).expect("readable"), b"picture");
    assert_eq!(std::fs::read_dir(&out).expect("readable").count(), 1, "nothing is left beside it");
    std::fs::write(&page, "another").expect("written");
    let failure = once("files.write", settings, params).await.expect_err("refused");
    assert!(failure.message.contains("scan.png exists with other content"), "{failure}");
    let settings = json!({ "folder": out });
    let output = once("files.write", settings, json!({ "a": 1 })).await.expect("written");
    let written = std::fs::read_to_string(output["written"].as_str().expect("a path"));
    assert_eq!(written.expect("readable"), "{\n  \"a\": 1\n}\n");
}
