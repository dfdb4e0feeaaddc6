//! `sql`: makes a job of each row of a query, as rows come. (`sql.write` is in `write/`.)
//!
//! Rows are taken in the order of a watermark, which must grow: a number that counts up, or the
//! moment of the last change. Rows with the same watermark are told apart by their ids, in whose
//! order they come. A look goes on behind the last row; the next one begins at the last watermark,
//! those with it included, so that a row which came later with the same one is found too. Its
//! siblings, which are asked for again, are known by their ids.

mod database;
#[cfg(feature = "postgres")]
mod postgres;
mod query;
#[cfg(feature = "sqlite")]
mod sqlite;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use waystation_core::Params;
use waystation_core::failure::Failure;
use waystation_core::pipeline::Executor;
use waystation_core::source::{BATCH_MAX, Fault, Item};

use crate::listing::{Bounds, Finder, Found, Lister, Thing};
use crate::settings::{self, Seconds};
use database::{Connection, Database};
use query::{From, Query};
pub use write::{Settings as WriteSettings, build as build_write};

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The database: `sqlite://FILE` or `postgres://USER:PASSWORD@HOST/DATABASE`. It is only read.
    #[schemars(length(min = 1))]
    url: String,
    /// What finds rows: one SELECT, without an order or a limit of its own. `$watermark` in it
    /// stands for the watermark that the look begins at, where that helps the database: compare
    /// with `>=`.
    #[schemars(length(min = 1))]
    query: String,
    /// The column that tells a row from all others. The same id becomes one job only.
    #[serde(default = "id")]
    #[schemars(length(min = 1))]
    id: String,
    /// The column that grows with each row, or with each change of one.
    #[schemars(length(min = 1))]
    watermark: String,
    /// The watermark that the first look begins at, as a text or a number; at the least unless
    /// said.
    #[schemars(with = "Option<Initial>")]
    initial: Option<Value>,
    /// Whether a row whose watermark moved becomes another job.
    #[serde(default)]
    changes: bool,
    /// How long one question to the database may take.
    #[serde(default = "timeout")]
    timeout_seconds: Seconds,
    /// The most rows that become jobs in one look; the next one goes on. As many as there are
    /// unless said.
    #[schemars(range(min = 1))]
    max_results: Option<usize>,
    /// How long after the beginning of a look the next one begins: another way to say `schedule`.
    #[expect(dead_code, reason = "the engine reads it")]
    polling_interval_seconds: Option<Seconds>,
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its shape is looked at")]
enum Initial {
    Text(String),
    Number(f64),
}

fn id() -> String {
    "id".to_owned()
}

fn timeout() -> Seconds {
    Seconds(30.0)
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: Settings = settings::read(params)?;
    let database = Database::of(&settings.url, settings.timeout_seconds.into())
        .map_err(|error| vec![format!("setting `url`: {error}")])?;
    let query = Query::new(&settings.query, settings.id, settings.watermark);
    if query.asks_for_watermark() && settings.initial.is_none() {
        return Err(vec!["setting `initial` is absent, which `$watermark` needs".to_owned()]);
    }
    let rows = Rows {
        database,
        query: Arc::new(query),
        initial: settings.initial,
        changes: settings.changes,
    };
    let bounds = Bounds { results_max: settings.max_results, append_only: true };
    Ok(Executor::Source(Arc::new(Lister::new(rows, bounds))))
}

/// A row as it was read.
pub struct Row {
    watermark: Value,
    id: Value,
    params: Params,
}

/// The rows of a query.
#[derive(Clone)]
struct Rows {
    database: Database,
    query: Arc<Query>,
    initial: Option<Value>,
    changes: bool,
}

/// A look under way.
struct Reading {
    rows: Rows,
    connection: Connection,
    /// The watermark at which it began.
    began: Option<Value>,
    /// Where the next page begins; at the end there is none.
    from: Option<From>,
}

#[async_trait]
impl Finder for Rows {
    type What = Params;

    async fn look(
        &self,
        after: Option<String>,
    ) -> Result<BoxStream<'static, Result<Found<Params>, Failure>>, Failure> {
        let from = match after.as_deref().and_then(From::parse) {
            Some(from) => from,
            None => self.initial.clone().map_or(From::Least, From::Watermark),
        };
        let connection = self.database.connect().await?;
        let began = from.watermark().cloned();
        let reading = Reading { rows: self.clone(), connection, began, from: Some(from) };
        let pages = stream::unfold(reading, |mut reading| async move {
            let page = reading.page().await?;
            Some((page, reading))
        });
        let things = pages.flat_map(|page| {
            stream::iter(match page {
                Ok(things) => things.into_iter().map(|thing| Ok(Ok(thing))).collect(),
                Err(failure) => vec![Err(failure)],
            })
        });
        Ok(things.boxed())
    }

    async fn item(&self, thing: Thing<Params>) -> Result<Option<Item>, Fault> {
        Ok(Some(Item { id: thing.id, params: thing.what }))
    }

    fn begins_again(&self, last: String) -> String {
        let watermark = From::parse(&last).and_then(|from| from.watermark().cloned());
        watermark.map_or(last, |watermark| From::Watermark(watermark).to_string())
    }
}

impl Reading {
    /// The next page; `None` after the last one.
    async fn page(&mut self) -> Option<Result<Vec<Thing<Params>>, Failure>> {
        let from = self.from.take()?;
        let asked = self.rows.query.page(self.connection.dialect(), self.began.as_ref(), &from);
        let rows = match self.connection.rows(asked).await {
            Ok(rows) => rows,
            Err(failure) => return Some(Err(failure)),
        };
        if rows.len() == BATCH_MAX {
            let last = rows.last().map(|row| (row.watermark.clone(), row.id.clone()));
            self.from = last.map(|(watermark, id)| From::Row(watermark, id));
        }
        Some(Ok(rows.into_iter().map(|row| self.rows.thing(row)).collect()))
    }
}

impl Rows {
    fn thing(&self, row: Row) -> Thing<Params> {
        let Row { watermark, id, params } = row;
        let name = plain(&id);
        let name = if self.changes { format!("{name}@{}", plain(&watermark)) } else { name };
        Thing { place: From::Row(watermark, id).to_string(), id: name, what: params }
    }
}

/// A text as it is, a number as it is written.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
