//! The entities, in one SQLite file: what each attribute is, and all that was ever seen of it.
//!
//! An update is applied together with the id of its job: a job that comes a second time changes
//! nothing. Nothing here locks an entity. That no two updates of one are applied at the same time,
//! and that they come in order, is the queue's to see to. One thread writes, and commits at once
//! what came while it committed before: a commit waits for the disk, and a worker has many updates
//! in hand.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::point::Update;

/// How long to wait for another process's commit.
const BUSY: Duration = Duration::from_secs(30);
/// The most updates of one commit.
const BATCH_MAX: usize = 1_000;

const LAYOUT: &str = "
    CREATE TABLE IF NOT EXISTS applied (job_id TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS seen (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        entity TEXT NOT NULL,
        attr   TEXT NOT NULL,
        v      TEXT NOT NULL,
        t1     INTEGER,
        t2     INTEGER,
        c      REAL NOT NULL,
        src    TEXT
    );
    CREATE INDEX IF NOT EXISTS seen_of_entity ON seen (entity, attr);
    CREATE TABLE IF NOT EXISTS attribute (
        entity TEXT NOT NULL,
        attr   TEXT NOT NULL,
        v      TEXT NOT NULL,
        t2     INTEGER,
        c      REAL NOT NULL,
        PRIMARY KEY (entity, attr)
    ) WITHOUT ROWID;
";

/// What came of an update.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// It had been applied before.
    pub again: bool,
    /// The attributes that are something else now, and what.
    pub changed: Vec<(String, Value)>,
}

/// What was seen once.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seen {
    /// Which attribute.
    pub attr: String,
    /// What it was.
    pub v: Value,
    /// From when on, in milliseconds since 1970.
    pub t1: Option<i64>,
    /// Until when.
    pub t2: Option<i64>,
    /// How sure that is.
    pub c: f64,
    /// Who saw it.
    pub src: Option<String>,
}

/// The entities.
pub struct Entities {
    reader: Mutex<Connection>,
    writer: Sender<Order>,
}

/// An update on its way to the writer, and who waits for it.
struct Order {
    job_id: String,
    update: Update,
    answer: oneshot::Sender<Result<Applied, String>>,
}

impl Entities {
    /// Opens the file, and makes it where there is none.
    pub fn open(path: &Path) -> rusqlite::Result<Self> {
        let (writer, orders) = channel();
        let connection = connect(path)?;
        connection.execute_batch(LAYOUT)?;
        // It ends with the last of those who may order.
        std::thread::spawn(move || write(connection, &orders));
        Ok(Self { reader: Mutex::new(connect(path)?), writer })
    }

    /// Applies an update of a job, unless it was applied before.
    pub async fn apply(&self, job_id: &str, update: Update) -> Result<Applied, String> {
        let (answer, answered) = oneshot::channel();
        let order = Order { job_id: job_id.to_owned(), update, answer };
        let gone = || "the writer has ended".to_owned();
        self.writer.send(order).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }

    /// What the attributes of an entity are, by their names.
    pub fn attributes(&self, entity: &str) -> rusqlite::Result<Vec<(String, Value)>> {
        let connection = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut select = connection
            .prepare_cached("SELECT attr, v FROM attribute WHERE entity = ?1 ORDER BY attr")?;
        let rows = select.query_map([entity], |row| {
            let v: String = row.get(1)?;
            Ok((row.get(0)?, value(&v)))
        })?;
        rows.collect()
    }

    /// All that was seen of an entity, in the order in which it was applied.
    pub fn history(&self, entity: &str) -> rusqlite::Result<Vec<Seen>> {
        let connection = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let mut select = connection.prepare_cached(
            "SELECT attr, v, t1, t2, c, src FROM seen WHERE entity = ?1 ORDER BY number",
        )?;
        let rows = select.query_map([entity], |row| {
            let v: String = row.get(1)?;
            Ok(Seen {
                attr: row.get(0)?,
                v: value(&v),
                t1: row.get(2)?,
                t2: row.get(3)?,
                c: row.get(4)?,
                src: row.get(5)?,
            })
        })?;
        rows.collect()
    }

    /// How many updates were applied.
    pub fn count(&self) -> rusqlite::Result<u64> {
        let connection = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        connection.query_row("SELECT count(*) FROM applied", [], |row| row.get(0))
    }
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    Ok(connection)
}

/// Applies what is ordered, all that is there in one commit.
fn write(mut connection: Connection, orders: &Receiver<Order>) {
    while let Ok(first) = orders.recv() {
        let batch: Vec<Order> =
            std::iter::once(first).chain(orders.try_iter().take(BATCH_MAX - 1)).collect();
        match apply_all(&mut connection, &batch) {
            Ok(all) => {
                for (order, applied) in batch.into_iter().zip(all) {
                    let _ = order.answer.send(Ok(applied));
                }
            }
            Err(error) => {
                for order in batch {
                    let _ = order.answer.send(Err(error.to_string()));
                }
            }
        }
    }
}

fn apply_all(connection: &mut Connection, batch: &[Order]) -> rusqlite::Result<Vec<Applied>> {
    let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let all: Vec<Applied> = batch
        .iter()
        .map(|order| apply(&change, &order.job_id, &order.update))
        .collect::<rusqlite::Result<_>>()?;
    change.commit()?;
    Ok(all)
}

fn apply(change: &Transaction<'_>, job_id: &str, update: &Update) -> rusqlite::Result<Applied> {
    let is_new = change
        .prepare_cached("INSERT INTO applied (job_id) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([job_id])?;
    if is_new == 0 {
        return Ok(Applied { again: true, changed: Vec::new() });
    }
    let mut changed = Vec::new();
    for point in &update.points {
        // Checked before it was submitted.
        let (t1, t2) = point.times().ok().flatten().unzip();
        let (v, c) = (point.v.to_string(), point.c.unwrap_or(1.0));
        change
            .prepare_cached(
                "INSERT INTO seen (entity, attr, v, t1, t2, c, src) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![update.entity, point.attr, v, t1, t2, c, point.src])?;
        let before: Option<String> = change
            .prepare_cached("SELECT v FROM attribute WHERE entity = ?1 AND attr = ?2")?
            .query_row([&update.entity, &point.attr], |row| row.get(0))
            .optional()?;
        // What was seen of an earlier time is history, and changes nothing.
        let kept = change
            .prepare_cached(
                "INSERT INTO attribute (entity, attr, v, t2, c) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (entity, attr) DO UPDATE SET v = excluded.v, t2 = excluded.t2, \
                 c = excluded.c WHERE excluded.t2 IS NULL OR attribute.t2 IS NULL \
                 OR excluded.t2 >= attribute.t2",
            )?
            .execute(params![update.entity, point.attr, v, t2, c])?;
        if kept > 0 && before.as_deref() != Some(&v) {
            changed.push((point.attr.clone(), point.v.clone()));
        }
    }
    Ok(Applied { again: false, changed })
}

/// What is kept was JSON when it was written.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::point::grouped;

    fn update(points: &[Value]) -> Update {
        let points = points.iter().map(|point| serde_json::from_value(point.clone()).expect("one"));
        grouped(points.collect()).remove(0)
    }

    #[tokio::test]
    async fn updates_are_applied_once_and_the_newest_value_holds() {
        let folder = tempfile::tempdir().expect("a folder");
        let entities = Entities::open(&folder.path().join("entities.db")).expect("it opens");
        let at = |v: u64, t1: &str| {
            json!({ "type": "ip", "id": "a", "attr": "asn", "v": v,
                "t1": format!("2026-01-0{t1}T00:00:00Z"), "c": 0.5, "src": "bgp" })
        };
        let first = update(&[at(1, "2"), at(2, "3")]);
        let applied = entities.apply("j1", first.clone()).await.expect("applied");
        assert_eq!(applied.changed, [("asn".to_owned(), json!(1)), ("asn".to_owned(), json!(2))]);
        let again = entities.apply("j1", first.clone()).await.expect("applied");
        assert_eq!(again, Applied { again: true, changed: Vec::new() });
        let old = entities.apply("j2", update(&[at(9, "1")])).await.expect("applied");
        assert_eq!(old, Applied::default(), "it was so before what is known");
        let attributes = entities.attributes("ip:a").expect("read");
        assert_eq!(attributes, [("asn".to_owned(), json!(2))]);
        let seen: Vec<Value> =
            entities.history("ip:a").expect("read").into_iter().map(|one| one.v).collect();
        assert_eq!(seen, [json!(1), json!(2), json!(9)]);
        assert_eq!(entities.count().expect("counted"), 2);
    }
}
