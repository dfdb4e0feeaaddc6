//! Files that cannot be used: each says why, and none is harmed.

use std::sync::Arc;

use rusqlite::Connection;
use waystation_core::clock::SystemClock;
use waystation_core::id::JobId;
use waystation_core::port::{Error, Queue, Store};
use waystation_sqlite::{Options, Sqlite};
use waystation_testing::sample;

fn open(options: Options) -> Result<Sqlite, Error> {
    Sqlite::open(options, Arc::new(SystemClock))
}

#[test]
fn file_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("new.db");
    drop(open(Options::new(&path)).expect("a fresh store"));
    let raw = Connection::open(&path).expect("SQLite opens it");
    raw.pragma_update(None, "user_version", 999).expect("a version is set");
    drop(raw);
    let error = open(Options::new(&path)).err().expect("refused");
    assert!(matches!(error, Error::NewerVersion { found: 999, .. }), "{error}");
    assert!(error.to_string().contains("new.db has schema version 999"), "{error}");
}

#[test]
fn file_of_somebody_else_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let strange = folder.path().join("strange.db");
    let raw = Connection::open(&strange).expect("SQLite opens it");
    raw.execute_batch("CREATE TABLE t (a)").expect("a table of somebody else");
    drop(raw);
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "no database at all, but long enough to be looked at").expect("a file");
    for (path, expected) in
        [(strange, "not a Waystation store"), (text, "not a database of SQLite")]
    {
        let before = std::fs::read(&path).expect("readable");
        let error = open(Options::new(&path)).err().expect("refused").to_string();
        assert!(error.contains(expected), "{error}");
        assert!(std::fs::read(&path).expect("readable") == before, "{} changed", path.display());
    }
}

#[test]
fn folder_that_is_absent_is_named() {
    let error = open(Options::new("/nowhere/at/all.db")).err().expect("refused").to_string();
    assert!(error.contains("/nowhere/at/all.db"), "{error}");
}

#[tokio::test]
async fn full_file_says_so_and_keeps_what_it_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("small.db");
    let limited = Options { file_bytes_max: Some(400_000), ..Options::new(&path) };
    let store = open(limited).expect("a fresh store");
    let mut acknowledged = Vec::new();
    let error = loop {
        let id = format!("job-{}", acknowledged.len());
        let job = sample::job(&id).param("filling", "x".repeat(20_000)).at("work");
        match store.submit(vec![job.into()], None).await {
            Ok(_) => acknowledged.push(id),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 100, "the limit is never reached");
    };
    assert!(matches!(error, Error::Full { .. }), "{error}");
    assert!(error.retryable());
    assert!(acknowledged.len() > 5);
    drop(store);
    let store = open(Options::new(&path)).expect("it opens again");
    for id in acknowledged {
        assert!(store.job(&JobId::from(id.as_str())).await.expect("readable").is_some(), "{id}");
    }
}
