//! `objects` on a folder, and places that cannot be opened.

use serde_json::json;

use crate::workbench::{Crawler, build};

#[tokio::test]
async fn objects_of_a_folder_become_items() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("sub")).expect("a folder");
    for name in ["b.PDF", "sub/a.pdf", "sub/a.txt"] {
        std::fs::write(folder.path().join(name), "text").expect("written");
    }
    let url = format!("file://{}", folder.path().display());
    let mut crawler = Crawler::new("objects", json!({ "url": url, "file_extensions": "pdf" }));
    let (items, _) = crawler.look().await.expect("discovered");
    let found: Vec<_> = items.iter().map(|item| item.params["key"].as_str()).collect();
    assert_eq!(found, [Some("b.PDF"), Some("sub/a.pdf")]);
    let params = &items[1].params;
    assert_eq!(params["url"], json!(format!("{url}/sub/a.pdf")));
    assert_eq!((&params["name"], &params["bytes"]), (&json!("a.pdf"), &json!(4)));
    assert!(params["modified_at"].is_string() && params["etag"].is_string());
    assert!(items[1].id.starts_with(&format!("{url}/sub/a.pdf:4:")), "{}", items[1].id);
    assert!(crawler.names().await.is_empty());
}

#[tokio::test]
async fn folder_that_is_absent_is_named_when_it_is_looked_at() {
    let mut crawler = Crawler::new("objects", json!({ "url": "file:///no/such/folder" }));
    let failure = crawler.look().await.expect_err("absent");
    assert!(failure.message.contains("cannot list file:///no/such/folder/"), "{failure}");
}

#[test]
fn places_that_cannot_be_opened_are_named() {
    for (settings, expected) in [
        (json!({}), "setting `url` is absent"),
        (json!({ "url": "nonsense" }), "setting `url`"),
        (json!({ "url": "ftp://x/y" }), "unknown scheme"),
        (json!({ "url": "s3://key:secret@bucket/x" }), "holds a password"),
        (json!({ "url": "memory://", "append_only": true, "sort_by": "size" }), "`append_only`"),
    ] {
        let problems = build("objects", settings.clone()).err().unwrap_or_default();
        assert_eq!(problems.len(), 1, "{settings}: {problems:?}");
        assert!(problems[0].contains(expected), "{settings}: {problems:?}");
        assert!(!problems[0].contains("secret"), "{problems:?}");
    }
}
