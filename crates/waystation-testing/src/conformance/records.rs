//! Small documents: written when what is expected is there, and gone when their time is over.

use std::time::Duration;

use serde_json::{Value, json};
use waystation_core::clock::{Clock, Timestamp};
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{
    Expected, Put, RECORD_BYTES_MAX, RECORD_KEY_BYTES_MAX, Record, RecordPage,
};

use super::{Backend, Harness, bounded};

const NAMES: &str = "pauses";

/// Writes a record of these cases' collection.
async fn put(backend: &Backend, key: &str, value: Value, expected: Expected) -> Put {
    until(backend, key, value, expected, None).await
}

/// Writes one that is gone from a moment on.
async fn until(
    backend: &Backend,
    key: &str,
    value: Value,
    expected: Expected,
    expires_at: Option<Timestamp>,
) -> Put {
    let put = backend.records.put_record(NAMES, key, &value, expected, expires_at);
    bounded(put).await.expect("the record is taken")
}

async fn kept(backend: &Backend, key: &str, value: Value, expected: Expected) -> u64 {
    match put(backend, key, value, expected).await {
        Put::Kept(revision) => revision,
        Put::Conflict => panic!("{key} is kept"),
    }
}

async fn find(backend: &Backend, key: &str) -> Option<Record> {
    bounded(backend.records.record(NAMES, key)).await.expect("the record is looked up")
}

async fn remove(backend: &Backend, key: &str, expected: Expected) -> bool {
    let removed = backend.records.remove_record(NAMES, key, expected);
    bounded(removed).await.expect("the request is taken")
}

async fn keys(backend: &Backend, page: RecordPage) -> Vec<String> {
    let records = bounded(backend.records.records(NAMES, page)).await;
    records.expect("the records are listed").into_iter().map(|record| record.key).collect()
}

/// A record is as it was written last, and each change has a larger revision.
pub async fn record_is_as_it_was_written_last(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    assert_eq!(find(&backend, "a").await, None);
    let value = json!({ "by": "ünd 🦀 \u{0}", "n": 1.5, "list": [null, true] });
    let first = kept(&backend, "a", value.clone(), Expected::Any).await;
    let now = harness.clock().now();
    let expected =
        Record { key: "a".into(), revision: first, value, updated_at: now, expires_at: None };
    assert_eq!(find(&backend, "a").await, Some(expected));

    harness.clock().advance(Duration::from_secs(1));
    let second = kept(&backend, "a", json!(2), Expected::Any).await;
    assert!(second > first);
    let record = find(&backend, "a").await.expect("it is there");
    assert_eq!((record.revision, record.value), (second, json!(2)));
    assert_eq!(record.updated_at, harness.clock().now());
    let elsewhere = bounded(backend.records.record("others", "a")).await;
    assert_eq!(elsewhere.expect("it is looked up"), None, "collections are apart");
}

/// What is expected decides: nothing there, or exactly one revision.
pub async fn record_is_written_when_what_is_expected_is_there(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let nothing_there = put(&backend, "a", json!(0), Expected::Revision(1)).await;
    assert_eq!(nothing_there, Put::Conflict);
    let first = kept(&backend, "a", json!(1), Expected::Absent).await;
    assert_eq!(put(&backend, "a", json!(2), Expected::Absent).await, Put::Conflict);
    let second = kept(&backend, "a", json!(2), Expected::Revision(first)).await;
    assert_eq!(put(&backend, "a", json!(3), Expected::Revision(first)).await, Put::Conflict);
    assert_eq!(find(&backend, "a").await.expect("it is there").value, json!(2));

    assert!(!remove(&backend, "a", Expected::Revision(first)).await);
    assert!(!remove(&backend, "a", Expected::Absent).await, "it is there");
    assert!(remove(&backend, "a", Expected::Revision(second)).await);
    assert!(!remove(&backend, "a", Expected::Any).await, "there is nothing more to be removed");
    assert!(!remove(&backend, "a", Expected::Absent).await);
    assert_eq!(find(&backend, "a").await, None);
    let third = kept(&backend, "a", json!(3), Expected::Absent).await;
    assert!(third > second, "no revision comes again");
    assert!(remove(&backend, "a", Expected::Any).await);
}

/// Of those who expect the same at the same time, one succeeds.
pub async fn one_of_several_writers_succeeds(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let mut expected = Expected::Absent;
    for round in 0..5 {
        let writers = (0..8).map(|writer| {
            let backend = backend.clone();
            tokio::spawn(async move { put(&backend, "a", json!([round, writer]), expected).await })
        });
        let mut revisions = Vec::new();
        for writer in writers.collect::<Vec<_>>() {
            if let Put::Kept(revision) = writer.await.expect("no panic") {
                revisions.push(revision);
            }
        }
        assert_eq!(revisions.len(), 1, "in round {round}");
        assert_eq!(find(&backend, "a").await.expect("it is there").revision, revisions[0]);
        expected = Expected::Revision(revisions[0]);
    }
}

/// From its moment on a record is gone for every call, also before it is cleared away.
pub async fn expired_record_is_gone(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let soon = harness.clock().now().plus(Duration::from_secs(10));
    let first = until(&backend, "a", json!(1), Expected::Absent, Some(soon)).await;
    kept(&backend, "b", json!(1), Expected::Absent).await;
    assert_eq!(find(&backend, "a").await.expect("it is there").expires_at, Some(soon));
    let cleared = async || bounded(backend.records.clear_expired_records()).await;
    assert_eq!(cleared().await.expect("it clears"), 0);

    harness.clock().advance(Duration::from_secs(10));
    assert_eq!(find(&backend, "a").await, None);
    let page = RecordPage { limit: 9, ..RecordPage::default() };
    assert_eq!(keys(&backend, page.clone()).await, ["b"]);
    assert!(!remove(&backend, "a", Expected::Any).await);
    let Put::Kept(gone) = first else { panic!("it was kept") };
    assert_eq!(put(&backend, "a", json!(2), Expected::Revision(gone)).await, Put::Conflict);
    let again = kept(&backend, "a", json!(2), Expected::Absent).await;
    assert!(again > gone);
    assert_eq!(find(&backend, "a").await.expect("it is there").expires_at, None);
    assert_eq!(cleared().await.expect("it clears"), 0, "it does not expire any more");

    let past = harness.clock().now();
    until(&backend, "c", json!(1), Expected::Any, Some(past)).await;
    assert_eq!(find(&backend, "c").await, None);
    assert_eq!(cleared().await.expect("it clears"), 1);
    assert_eq!(cleared().await.expect("it clears"), 0);
    assert_eq!(keys(&backend, page).await, ["a", "b"]);
}

/// Pages stand in the order of the keys' bytes, up or down.
pub async fn records_are_listed_by_key(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let sorted = ["Z", "a", "a b", "a%", "aa", "b", "\u{e9}", "\u{1f980}"];
    for key in ["aa", "\u{1f980}", "b", "a", "\u{e9}", "Z", "a%", "a b"] {
        kept(&backend, key, json!(key), Expected::Absent).await;
    }
    for descending in [false, true] {
        let mut seen: Vec<String> = Vec::new();
        loop {
            let page = RecordPage { descending, after: seen.last().cloned(), limit: 3 };
            let found = keys(&backend, page).await;
            if found.is_empty() {
                break;
            }
            seen.extend(found);
        }
        if descending {
            seen.reverse();
        }
        assert_eq!(seen, sorted);
    }
    assert!(keys(&backend, RecordPage::default()).await.is_empty(), "a page of none is empty");
    let all = RecordPage { limit: usize::MAX, ..RecordPage::default() };
    let elsewhere = bounded(backend.records.records("others", all)).await;
    assert!(elsewhere.expect("they are listed").is_empty());
}

/// Names and values have limits, and a page has.
pub async fn records_have_limits(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let long = "k".repeat(RECORD_KEY_BYTES_MAX + 1);
    let large = json!("x".repeat(RECORD_BYTES_MAX));
    let small = json!(1);
    let cases = [
        ("", "a", &small),
        (NAMES, "", &small),
        (NAMES, &long, &small),
        (&long, "a", &small),
        (NAMES, "a\0b", &small),
        (NAMES, "a", &large),
    ];
    for (collection, key, value) in cases {
        let refused = backend.records.put_record(collection, key, value, Expected::Any, None);
        assert!(bounded(refused).await.is_err(), "{collection} {key}");
    }
    assert_eq!(find(&backend, "a\0b").await, None);
    let longest = "k".repeat(RECORD_KEY_BYTES_MAX);
    let largest = json!("x".repeat(RECORD_BYTES_MAX - 2));
    kept(&backend, &longest, largest.clone(), Expected::Absent).await;
    assert_eq!(find(&backend, &longest).await.expect("it is there").value, largest);

    for number in 0..PAGE_MAX {
        kept(&backend, &format!("n{number:04}"), json!(number), Expected::Absent).await;
    }
    let all = RecordPage { limit: usize::MAX, ..RecordPage::default() };
    assert_eq!(keys(&backend, all).await.len(), PAGE_MAX);
}
