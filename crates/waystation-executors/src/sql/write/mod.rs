//! `sql.write`: writes a row, or all rows of a list, by one statement in one transaction.
//!
//! A stage may run twice for a job. Written as an upsert (`INSERT … ON CONFLICT (id) DO UPDATE …`)
//! the statement leaves the same rows the second time.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
mod statement;

use std::sync::Arc;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::failure::Failure;
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;

use super::database::Database;
use crate::inputs::{self, invalid, wrong};
use crate::path;
use crate::settings::{self, Seconds};
use crate::template::Values;
use statement::Statement;

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The database: `sqlite://FILE` or `postgres://USER:PASSWORD@HOST/DATABASE`.
    #[schemars(length(min = 1))]
    url: String,
    /// One statement. `:name` in it stands for what that param holds, `:page.number` for a part of
    /// it: it is bound, never pasted. `:job_id` is the job's id.
    #[schemars(length(min = 1))]
    statement: String,
    /// The param with a list of objects, for each of which the statement is run; a name is looked
    /// up in the object first. Once for the params unless said.
    #[schemars(length(min = 1))]
    rows: Option<String>,
    /// The most rows of a list.
    #[serde(default = "rows_max")]
    #[schemars(range(min = 1))]
    max_rows: usize,
    /// How long it may take.
    #[serde(default = "timeout")]
    timeout_seconds: Seconds,
    /// The param that will hold how many rows were written.
    #[serde(default = "output")]
    #[schemars(length(min = 1))]
    output: String,
}

fn rows_max() -> usize {
    10_000
}

fn timeout() -> Seconds {
    Seconds(30.0)
}

fn output() -> String {
    "affected".to_owned()
}

struct Write {
    database: Database,
    statement: Statement,
    rows: Option<String>,
    rows_max: usize,
    output: String,
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: Settings = settings::read(params)?;
    let database = Database::of(&settings.url, settings.timeout_seconds.into())
        .map_err(|error| vec![format!("setting `url`: {error}")])?;
    let statement = Statement::parse(&settings.statement)
        .map_err(|error| vec![format!("setting `statement`: {error}")])?;
    let write = Write {
        database,
        statement,
        rows: settings.rows,
        rows_max: settings.max_rows,
        output: settings.output,
    };
    Ok(Executor::Worker(Arc::new(write)))
}

#[async_trait]
impl Handler for Write {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let rows = self.bound(&Values::new(&context, &params))?;
        let affected = match &self.database {
            // No row, no transaction.
            _ if rows.is_empty() => 0,
            #[cfg(feature = "sqlite")]
            Database::Sqlite(file) => {
                sqlite::write(file, self.statement.with_mark('?'), rows).await?
            }
            #[cfg(feature = "postgres")]
            Database::Postgres(server) => {
                postgres::write(server, &self.statement.with_mark('$'), &rows).await?
            }
        };
        Ok(Completion::ok(Params::from_iter([(self.output.clone(), json!(affected))])))
    }
}

impl Write {
    /// The values of each row, in the order of their marks.
    fn bound(&self, values: &Values<'_>) -> Result<Vec<Vec<Value>>, Failure> {
        let Some(rows) = &self.rows else {
            return Ok(vec![self.row(&Params::new(), "the statement", values)?]);
        };
        let list = inputs::list(values.params, rows)?;
        if list.len() > self.rows_max {
            let (count, most) = (list.len(), self.rows_max);
            let message = format!("param `{rows}` has {count} rows, more than {most}");
            return Err(invalid(message + " (hint: `max_rows`)"));
        }
        let row = |(index, row): (usize, &Value)| {
            let what = format!("row {index} of param `{rows}`");
            let fields = row.as_object().ok_or_else(|| wrong(&what, "an object", row))?;
            self.row(fields, &what, values)
        };
        list.iter().enumerate().map(row).collect()
    }

    /// What is null is written as such; only what is absent is missed.
    fn row(&self, row: &Params, what: &str, values: &Values<'_>) -> Result<Vec<Value>, Failure> {
        let value = |name: &String| {
            // What these stand for is no job's to say.
            let is_own = matches!(name.as_str(), "job_id" | "idempotency_key");
            let of_params = || path::get(values.params, name).filter(|_| !is_own);
            if let Some(value) = path::get(row, name).or_else(of_params) {
                return Ok(value.clone());
            }
            values.need(what, name).map(std::borrow::Cow::into_owned)
        };
        self.statement.names().map(value).collect()
    }
}
