//! `sql` on a SQLite file and on a PostgreSQL server.

use serde_json::{Value, json};
use waystation_core::source::BATCH_MAX;

use crate::workbench::{Crawler, build};

/// A file with a table of scans, and what changes it.
#[cfg(feature = "sqlite")]
struct File {
    folder: tempfile::TempDir,
    connection: rusqlite::Connection,
}

#[cfg(feature = "sqlite")]
impl File {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let connection = rusqlite::Connection::open(folder.path().join("scans.db"));
        let file = Self { folder, connection: connection.expect("a file") };
        file.run("CREATE TABLE scans (id TEXT PRIMARY KEY, at INTEGER, extra BLOB)");
        file
    }

    fn run(&self, sql: &str) {
        self.connection.execute_batch(sql).expect(sql);
    }

    fn settings(&self, more: &Value) -> Value {
        let mut settings = json!({
            "url": format!("sqlite://{}", self.folder.path().join("scans.db").display()),
            "query": "SELECT id, at, id AS name, extra FROM scans;", "watermark": "at",
        });
        let more = more.as_object().expect("an object").clone();
        settings.as_object_mut().expect("an object").extend(more);
        settings
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn rows_come_once_in_order_and_those_with_the_same_watermark_too() {
    let file = File::new();
    file.run("INSERT INTO scans VALUES ('b', 1, x'00ff'), ('a', 2, NULL), ('x', NULL, NULL)");
    let mut crawler = Crawler::new("sql", file.settings(&json!({})));
    let (items, _) = crawler.look().await.expect("discovered");
    assert_eq!(
        json!(items[0].params),
        json!({ "id": "b", "at": 1, "name": "b", "extra": "\\x00ff" })
    );
    assert_eq!((items[0].id.as_str(), items.len()), ("b", 2));
    assert!(crawler.names().await.is_empty());
    // Later, with the watermark of the last one, and an id before its.
    file.run("INSERT INTO scans VALUES ('0', 2, NULL), ('c', 3, NULL)");
    assert_eq!(crawler.names().await, ["0", "c"]);
    file.run("INSERT INTO scans VALUES ('c2', 3, NULL)");
    let mut another = Crawler::new("sql", file.settings(&json!({})));
    another.checkpoint.clone_from(&crawler.checkpoint);
    assert_eq!(another.names().await, ["c", "c2"], "it does not know what was told");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn more_rows_of_one_watermark_than_a_batch_are_all_found() {
    let file = File::new();
    let count = 2 * BATCH_MAX + 1;
    file.run(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})
         INSERT INTO scans SELECT printf('%05d', i), 7, NULL FROM n"
    ));
    let mut crawler = Crawler::new("sql", file.settings(&json!({})));
    assert_eq!(crawler.names().await.len(), count);
    assert!(crawler.names().await.is_empty());
    // Each look by another process: none knows what was told.
    let (mut checkpoint, mut found) = (None, 0);
    for _ in 0..3 {
        let mut one = Crawler::new("sql", file.settings(&json!({ "max_results": 400 })));
        one.checkpoint = checkpoint;
        found += one.names().await.len();
        checkpoint = one.checkpoint;
    }
    assert_eq!(found, count);
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn rows_that_changed_become_other_jobs_when_asked() {
    let file = File::new();
    file.run("INSERT INTO scans VALUES ('a', 1, NULL), ('b', 2, NULL)");
    let query = "SELECT id, at, id AS name FROM scans WHERE at >= $watermark -- indexed";
    let more = json!({ "changes": true, "query": query, "initial": 2 });
    let mut crawler = Crawler::new("sql", file.settings(&more));
    assert_eq!(crawler.names().await, ["b"]);
    file.run("UPDATE scans SET at = 3 WHERE id = 'b'");
    let (items, _) = crawler.look().await.expect("discovered");
    assert_eq!(items[0].id, "b@3");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn what_cannot_be_read_is_named_and_nothing_is_written() {
    let file = File::new();
    for (more, words) in [
        (json!({ "query": "SELECT * FROM nowhere" }), "no such table: nowhere"),
        (json!({ "watermark": "no_column" }), "no such column"),
        (json!({ "query": "DELETE FROM scans RETURNING id, at" }), "syntax error"),
        (json!({ "url": "sqlite:///no/such/file.db" }), "cannot read /no/such/file.db"),
    ] {
        let failure = Crawler::new("sql", file.settings(&more)).look().await.expect_err(words);
        assert!(failure.to_string().contains(words), "{failure}");
    }
    for (more, words) in [
        (json!({ "url": "oracle://x" }), "setting `url`: unknown scheme (known: sqlite, postgres)"),
        (json!({ "query": "SELECT $watermark" }), "setting `initial` is absent"),
        (json!({ "watermark": 7 }), "setting `watermark` must be a text"),
    ] {
        let problems = build("sql", file.settings(&more)).err().expect(words);
        assert!(problems[0].contains(words), "{problems:?}");
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
#[ignore = "needs the server named by WAYSTATION_TEST_POSTGRES"]
async fn rows_of_a_server_come_once_in_order() {
    let url = std::env::var("WAYSTATION_TEST_POSTGRES").expect("WAYSTATION_TEST_POSTGRES");
    let (client, connection) =
        tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("connected");
    tokio::spawn(connection);
    let table = format!("scans_{}", std::process::id());
    let run = async |sql: String| client.batch_execute(&sql).await.expect(&sql);
    run(format!("DROP TABLE IF EXISTS {table}")).await;
    run(format!("CREATE TABLE {table} (id BIGINT PRIMARY KEY, changed TIMESTAMPTZ, size NUMERIC)"))
        .await;
    let count = BATCH_MAX + 10;
    run(format!(
        "INSERT INTO {table} SELECT i, '2026-01-01 00:00:00.123456Z', 1.5
         FROM generate_series(1, {count}) i"
    ))
    .await;
    let query = format!(
        "SELECT id, changed, size, id::text AS name FROM {table}
                         WHERE changed >= $watermark::timestamptz"
    );
    let settings = json!({
        "url": url, "query": query, "watermark": "changed", "changes": true,
        "initial": "2020-01-01T00:00:00Z",
    });
    let mut crawler = Crawler::new("sql", settings.clone());
    let names = crawler.names().await;
    assert_eq!((names.len(), names[0].as_str(), names[count - 1].as_str()), (count, "1", "510"));
    assert!(crawler.names().await.is_empty());
    run(format!("INSERT INTO {table} VALUES (-1, '2026-01-01 00:00:00.123456Z', NULL)")).await;
    run(format!("UPDATE {table} SET changed = '2026-01-02Z' WHERE id = 7")).await;
    let (items, _) = crawler.look().await.expect("discovered");
    let ids: Vec<_> = items.iter().map(|item| item.id.as_str()).collect();
    assert_eq!(ids, ["-1@2026-01-01 00:00:00.123456+00", "7@2026-01-02 00:00:00+00"]);
    assert_eq!(items[1].params["size"], 1.5);
    let mut bad = settings.clone();
    bad["query"] = json!(format!("DELETE FROM {table} RETURNING *"));
    bad["initial"] = Value::Null;
    let failure = Crawler::new("sql", bad).look().await.expect_err("it only reads");
    assert!(failure.to_string().contains("syntax error"), "{failure}");
    run(format!("DROP TABLE {table}")).await;
}
