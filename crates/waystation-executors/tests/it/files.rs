//! `files` and `files.write` on real folders.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::json;
use waystation_core::failure::ErrorKind;
use waystation_core::source::BATCH_MAX;

use crate::workbench::{Crawler, once, source};

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("written");
}

/// Lets a file have been changed so long ago.
fn age(folder: &Path, name: &str, seconds: u64) {
    let file = File::options().write(true).open(folder.join(name)).expect("a file");
    let moment = SystemTime::now() - Duration::from_secs(seconds);
    file.set_modified(moment).expect("a moment");
}

#[tokio::test]
async fn each_file_is_found_once_and_again_when_it_changed() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["b.txt", "a.txt", "skip.md", "sub/c.txt"] {
        write(folder.path(), name, "one");
    }
    let patterns = json!(["*.txt", "sub/*"]);
    let settings = json!({ "folder": folder.path(), "patterns": patterns });
    let mut crawler = Crawler::new("files", settings);
    assert_eq!(crawler.names().await, ["a.txt", "b.txt", "c.txt"]);
    assert!(crawler.names().await.is_empty());
    write(folder.path(), "a.txt", "longer than before");
    assert_eq!(crawler.names().await, ["a.txt"]);
}

#[tokio::test]
async fn files_are_chosen_and_put_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, bytes, seconds) in
        [("a.txt", 5, 300), ("b.md", 1, 100), ("sub/c.txt", 3, 200), ("sub/deep/d.txt", 9, 50)]
    {
        write(folder.path(), name, &"x".repeat(bytes));
        age(folder.path(), name, seconds);
    }
    let moment = jiff::Timestamp::now() - Duration::from_secs(150);
    let moment = moment.to_string();
    for (more, expected) in [
        (json!({}), vec!["a.txt", "b.md", "c.txt", "d.txt"]),
        (json!({ "recursive": false }), vec!["a.txt", "b.md"]),
        (json!({ "max_depth": 1 }), vec!["a.txt", "b.md", "c.txt"]),
        (json!({ "exclude": "sub" }), vec!["a.txt", "b.md"]),
        (json!({ "exclude": ["*/deep", "*.md"] }), vec!["a.txt", "c.txt"]),
        (json!({ "min_bytes": 3, "max_size_bytes": 5 }), vec!["a.txt", "c.txt"]),
        (json!({ "modified_after": moment }), vec!["b.md", "d.txt"]),
        (json!({ "modified_before": moment }), vec!["a.txt", "c.txt"]),
        (json!({ "sort_by": "size" }), vec!["b.md", "c.txt", "a.txt", "d.txt"]),
        (
            json!({ "sort_by": "modified", "sort_ascending": false }),
            vec!["d.txt", "b.md", "c.txt", "a.txt"],
        ),
        (json!({ "sort_by": "modified", "max_results": 2 }), vec!["a.txt", "c.txt"]),
    ] {
        let mut settings = more.clone();
        settings["folder"] = json!(folder.path());
        assert_eq!(Crawler::new("files", settings).names().await, expected, "{more}");
    }
}

#[tokio::test]
async fn files_that_are_still_written_are_left_for_later() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, seconds) in [("old", 3_600), ("new", 0)] {
        write(folder.path(), name, "text");
        age(folder.path(), name, seconds);
    }
    let mut crawler =
        Crawler::new("files", json!({ "folder": folder.path(), "settle_seconds": 60 }));
    assert_eq!(crawler.names().await, ["old"]);
    // More of it came, though by its time of change it lay still.
    write(folder.path(), "old", "text and more");
    age(folder.path(), "old", 30);
    assert!(crawler.names().await.is_empty());
    age(folder.path(), "old", 3_600);
    age(folder.path(), "new", 3_600);
    assert_eq!(crawler.names().await, ["new", "old"]);
}

#[tokio::test]
async fn ids_stay_the_same_over_restarts_and_follow_the_content_when_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "a", "same");
    write(folder.path(), "b", "same");
    for (identity, different) in [("stat", 2), ("content", 1)] {
        let settings = json!({ "folder": folder.path(), "identity": identity });
        let ids = async || {
            let found = source("files", settings.clone()).discover(None).await;
            let items = found.expect("discovered").items;
            items.into_iter().map(|item| item.id).collect::<BTreeSet<_>>()
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
        write(folder.path(), &format!("{number:04}"), "");
    }
    let mut crawler = Crawler::new("files", json!({ "folder": folder.path() }));
    assert_eq!(crawler.names().await.len(), BATCH_MAX + 1);
}

#[tokio::test]
async fn folder_that_cannot_be_read_is_named() {
    let failure = Crawler::new("files", json!({ "url": "file:///no/such/folder" })).look().await;
    let failure = failure.expect_err("absent");
    assert_eq!(failure.kind, ErrorKind::NotFound);
    assert!(failure.message.contains("cannot read /no/such/folder"), "{failure}");
}

#[cfg(unix)]
#[tokio::test]
async fn links_in_circles_end_and_a_folder_behind_two_paths_is_looked_into_once() {
    use std::os::unix::fs::symlink;
    let (folder, other) = (tempfile::tempdir().expect("one"), tempfile::tempdir().expect("two"));
    write(folder.path(), "z/file", "");
    write(other.path(), "outside", "");
    symlink(folder.path(), folder.path().join("z/up")).expect("a link");
    symlink(folder.path().join("z"), folder.path().join("a")).expect("a link");
    symlink(other.path(), folder.path().join("b")).expect("a link");
    symlink(folder.path(), other.path().join("back")).expect("a link");
    symlink("/no/such/file", folder.path().join("broken")).expect("a link");
    let mut crawler = Crawler::new("files", json!({ "folder": folder.path() }));
    let paths = crawler.values("path").await;
    assert_eq!(
        paths,
        [json!(folder.path().join("b/outside")), json!(folder.path().join("z/file"))]
    );
}

#[cfg(unix)]
#[tokio::test]
async fn what_cannot_be_read_or_named_is_told_and_stops_no_other() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path(), "good", "");
    std::fs::write(folder.path().join(OsStr::from_bytes(b"bad\xff")), "").expect("written");
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).expect("a folder");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o000)).expect("closed");
    let is_root = std::fs::read_dir(&closed).is_ok();
    if is_root {
        eprintln!("root reads every folder: that it is told when one is closed is not looked at");
    }
    symlink("loop", folder.path().join("loop")).expect("a link to itself");
    let mut crawler = Crawler::new("files", json!({ "folder": folder.path() }));
    let (items, faults) = crawler.look().await.expect("discovered");
    assert_eq!(items.len(), 1);
    let told: Vec<_> = faults.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!(told.len(), if is_root { 1 } else { 2 }, "{told:?}");
    assert!(told[0].contains("no UTF-8"), "{told:?}");
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
