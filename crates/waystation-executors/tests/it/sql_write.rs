//! `sql.write` into a SQLite file and a PostgreSQL server.

use serde_json::{Value, json};
use waystation_core::failure::{ErrorKind, Failure};

use crate::workbench::{build, once};

/// Both know it.
const UPSERT: &str =
    "INSERT INTO TABLE (id, name, size, extra) VALUES (:id, :name, :meta.size, :extra)
     ON CONFLICT (id) DO UPDATE SET name = excluded.name, size = excluded.size";

async fn write(url: &str, statement: &str, more: &Value, params: Value) -> Result<Value, Failure> {
    let mut settings = json!({ "url": url, "statement": statement });
    let more = more.as_object().expect("an object").clone();
    settings.as_object_mut().expect("an object").extend(more);
    once("sql.write", settings, params).await
}

/// What both databases do.
async fn check(url: &str, table: &str) {
    let upsert = UPSERT.replace("TABLE", table);
    let one = json!({ "id": 1, "name": "Robert'); DROP", "meta": { "size": 1.5 }, "extra": null });
    let more = json!({});
    for _ in 0..2 {
        let given = write(url, &upsert, &more, one.clone()).await.expect("written");
        assert_eq!(given, json!({ "affected": 1 }));
    }
    let rows: Vec<Value> = (1..=250).map(|id| json!({ "id": id, "meta": { "size": 2 } })).collect();
    let params = json!({ "rows": rows, "name": "all", "extra": "x" });
    let more = json!({ "rows": "rows", "output": "count" });
    for _ in 0..2 {
        let given = write(url, &upsert, &more, params.clone()).await.expect("written");
        assert_eq!(given, json!({ "count": 250 }));
    }
    let empty = write(url, &upsert, &more, json!({ "rows": [] })).await.expect("nothing to do");
    assert_eq!(empty, json!({ "count": 0 }));
    let insert = format!("INSERT INTO {table} (id, name) VALUES (:id, :job_id)");
    let some = json!({ "rows": [{ "id": 900 }, { "id": 901 }, { "id": 1 }] });
    let failure = write(url, &insert, &more, some).await.expect_err("one is there already");
    assert_eq!(failure.kind, ErrorKind::Permanent, "{failure}");
    for (statement, params, words, kind) in [
        (
            insert.as_str(),
            json!({ "rows": [{}] }),
            "row 0 of param `rows` needs param `id`",
            ErrorKind::MissingParam,
        ),
        (
            &insert,
            json!({ "rows": [1] }),
            "row 0 of param `rows` must be an object",
            ErrorKind::InvalidParam,
        ),
        (&insert, json!({}), "param `rows` is absent", ErrorKind::MissingParam),
        (
            "DELETE FROM nowhere_at_all",
            json!({ "rows": [{}] }),
            "nowhere_at_all",
            ErrorKind::Permanent,
        ),
    ] {
        let failure = write(url, statement, &more, params).await.expect_err(words);
        assert!(failure.to_string().contains(words), "{failure}");
        assert_eq!(failure.kind, kind);
    }
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn rows_are_written_into_a_file_all_or_none_and_again_with_no_harm() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.db");
    let file = rusqlite::Connection::open(&path).expect("a file");
    file.execute_batch("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, size REAL, extra TEXT)")
        .expect("a table");
    let url = format!("sqlite://{}", path.display());
    check(&url, "t").await;
    let told = "SELECT count(*), min(name), max(id), sum(size), count(extra) FROM t";
    let told: (i64, String, i64, f64, i64) = file
        .query_row(told, [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
        })
        .expect("a row");
    // The failed transaction left nothing; `extra` of the first row was not to be changed.
    assert_eq!(told, (250, "all".to_owned(), 250, 500.0, 249));
    // Nobody who sends a job says which one it is.
    let own = "UPDATE t SET extra = :job_id WHERE id = 1";
    write(&url, own, &json!({}), json!({ "job_id": "another" })).await.expect("written");
    let extra = file.query_row("SELECT extra FROM t WHERE id = 1", [], |row| row.get(0));
    assert_eq!(extra, Ok("job-1".to_owned()));
    let failure = write(&url, "SELECT 1", &json!({}), json!({})).await.expect_err("rows");
    assert!(failure.to_string().contains("gives rows, which nobody reads"), "{failure}");
    let failure = write("sqlite:///no/such.db", "DELETE FROM t", &json!({}), json!({})).await;
    assert_eq!(failure.expect_err("absent").kind, ErrorKind::NotFound);
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn files_that_somebody_else_writes_to_are_tried_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("out.db");
    let file = rusqlite::Connection::open(&path).expect("a file");
    file.execute_batch("CREATE TABLE t (id); BEGIN IMMEDIATE").expect("locked");
    let url = format!("sqlite://{}", path.display());
    let more = json!({ "timeout_seconds": 0.1 });
    let failure = write(&url, "DELETE FROM t", &more, json!({})).await.expect_err("locked");
    assert!(failure.kind.retryable(), "{failure}");
    file.execute_batch("ROLLBACK").expect("free");
    write(&url, "DELETE FROM t", &json!({}), json!({})).await.expect("written");
}

#[test]
fn statements_that_cannot_be_are_refused() {
    for (settings, words) in [
        (json!({ "url": "sqlite://x", "statement": "A; B" }), "`statement`: it is more than one"),
        (json!({ "url": "mysql://x", "statement": "A" }), "setting `url`: unknown scheme"),
        (json!({ "url": "sqlite://x" }), "setting `statement` is absent"),
    ] {
        let problems = build("sql.write", settings).err().expect(words);
        assert!(problems[0].contains(words), "{problems:?}");
    }
}

#[cfg(feature = "postgres")]
#[tokio::test]
#[ignore = "needs the server named by WAYSTATION_TEST_POSTGRES"]
async fn rows_are_written_to_a_server_all_or_none_and_again_with_no_harm() {
    let url = std::env::var("WAYSTATION_TEST_POSTGRES").expect("WAYSTATION_TEST_POSTGRES");
    let (client, connection) =
        tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("connected");
    tokio::spawn(connection);
    let table = format!("written_{}", std::process::id());
    let run = async |sql: String| client.batch_execute(&sql).await.expect(&sql);
    run(format!("DROP TABLE IF EXISTS {table}")).await;
    run(format!(
        "CREATE TABLE {table} (id BIGINT PRIMARY KEY, name TEXT, size NUMERIC, extra TEXT,
                               tags TEXT[], raw JSONB, at TIMESTAMPTZ, ok BOOLEAN)"
    ))
    .await;
    check(&url, &table).await;
    let told = format!("SELECT count(*), sum(size)::text, count(extra) FROM {table}");
    let told = client.query_one(&told, &[]).await.expect("a row");
    assert_eq!((told.get(0), told.get(1), told.get(2)), (250_i64, "500", 249_i64));
    let statement =
        format!("INSERT INTO {table} (id, tags, raw, at, ok) VALUES (:id, :tags, :raw, :at, :ok)");
    let params = json!({
        "id": 1000, "tags": ["a \"b\"", null, "c\\d"], "raw": "text", "ok": true,
        "at": "2026-11-23T08:00:00Z",
    });
    write(&url, &statement, &json!({}), params).await.expect("written");
    let told = format!(
        "SELECT tags, raw::text, ok, at = '2026-11-23 08:00:00+00' FROM {table} WHERE id = 1000"
    );
    let told = client.query_one(&told, &[]).await.expect("a row");
    let tags: Vec<Option<String>> = told.get(0);
    assert_eq!(tags, [Some("a \"b\"".to_owned()), None, Some("c\\d".to_owned())]);
    assert_eq!((told.get(1), told.get(2), told.get(3)), ("\"text\"", true, true));
    run(format!("DROP TABLE {table}")).await;
}
