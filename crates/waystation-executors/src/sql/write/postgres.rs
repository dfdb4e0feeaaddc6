//! PostgreSQL servers, written to in one transaction.

use std::error::Error;

use bytes::BytesMut;
use futures_util::future::try_join_all;
use serde_json::Value;
use tokio_postgres::types::{Format, IsNull, Kind, ToSql, Type, to_sql_checked};
use waystation_core::failure::{ErrorKind, Failure};

use crate::sql::plain;
use crate::sql::postgres::Server;

/// So many rows are sent before the first one is answered.
const SENT_MAX: usize = 100;

/// Runs the statement for each row, all or none. How many rows it wrote.
pub async fn write(server: &Server, text: &str, rows: &[Vec<Value>]) -> Result<u64, Failure> {
    let limit = server.timeout;
    let work = async {
        let mut client = server.connect().await?.client;
        run(server, &mut client, text, rows).await.map_err(|error| failed(server, &error))
    };
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        let seconds = limit.as_secs_f64();
        let message = format!("the database took no rows within {seconds} s");
        Err(Failure::new(ErrorKind::Timeout, message))
    })
}

async fn run(
    server: &Server,
    client: &mut tokio_postgres::Client,
    text: &str,
    rows: &[Vec<Value>],
) -> Result<u64, tokio_postgres::Error> {
    let milliseconds = server.timeout.as_millis().clamp(1, i32::MAX as u128);
    let transaction = client.transaction().await?;
    let set = format!("SET LOCAL statement_timeout = {milliseconds}");
    transaction.batch_execute(&set).await?;
    let statement = transaction.prepare(text).await?;
    let mut affected = 0;
    for some in rows.chunks(SENT_MAX) {
        let sent = some.iter().map(|row| {
            let values: Vec<Bound<'_>> = row.iter().map(Bound).collect();
            let (transaction, statement) = (&transaction, &statement);
            async move {
                let values: Vec<&(dyn ToSql + Sync)> =
                    values.iter().map(|value| value as _).collect();
                transaction.execute(statement, &values).await
            }
        });
        affected += try_join_all(sent).await?.into_iter().sum::<u64>();
    }
    transaction.commit().await?;
    Ok(affected)
}

fn failed(server: &Server, error: &tokio_postgres::Error) -> Failure {
    let kind = match error.code().map(|code| code.code().get(..2).unwrap_or_default()) {
        // Data that do not fit, a row that is there already, a statement written wrong.
        Some("22" | "23" | "42") => ErrorKind::Permanent,
        Some("57") if error.code() == Some(&tokio_postgres::error::SqlState::QUERY_CANCELED) => {
            ErrorKind::Timeout
        }
        Some("08" | "40" | "53" | "55" | "57") | None => ErrorKind::Transient,
        Some(_) => ErrorKind::Error,
    };
    let below = Failure::from_error(kind, error);
    let mut failure =
        Failure::new(kind, format!("cannot write to the database `{}`", server.name()));
    failure.causes.push(below.message);
    failure.causes.extend(below.causes);
    failure
}

/// A value of whatever type the server finds it to be, written as a text.
#[derive(Debug)]
struct Bound<'a>(&'a Value);

impl ToSql for Bound<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let text = match (self.0, kind.kind()) {
            (Value::Null, _) => return Ok(IsNull::Yes),
            (value, _) if matches!(*kind, Type::JSON | Type::JSONB) => value.to_string(),
            (Value::Array(items), Kind::Array(_)) => array(items),
            (value, _) => plain(value),
        };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// A list as the server writes it: `{"a","b",NULL}`.
fn array(items: &[Value]) -> String {
    let items: Vec<String> = items
        .iter()
        .map(|item| match item {
            Value::Null => "NULL".to_owned(),
            Value::Array(items) => array(items),
            other => format!("\"{}\"", plain(other).replace('\\', "\\\\").replace('"', "\\\"")),
        })
        .collect();
    format!("{{{}}}", items.join(","))
}
