//! Reading, on a connection of its own: readers never wait for the writer, nor it for them.

mod inbox;
mod jobs;
mod pipelines;
mod steps;
mod timeline;

use std::sync::Arc;

use futures_util::future::join3;
use tokio::sync::Mutex;
use tokio_postgres::{Client, Row};
use waystation_core::clock::Timestamp;
use waystation_core::failure::Failure;
use waystation_core::id::QueueName;
use waystation_core::port::{Depth, Error};

use crate::connection::connect;
use crate::error::explain;
use crate::options::Options;
use crate::parameter::Parameters;

/// The connection that reads; made at the first read, and anew when it was lost.
pub struct Reader {
    options: Options,
    client: Mutex<Option<Arc<Client>>>,
}

impl Reader {
    /// Not connected yet.
    pub fn new(options: Options) -> Self {
        Self { options, client: Mutex::new(None) }
    }

    /// How much waits in a queue. What is due counts as ready although nobody has asked for it.
    pub async fn depth(&self, queue: &QueueName, now: Timestamp) -> Result<Depth, Error> {
        let sql = "SELECT count(*) FILTER (WHERE state = 0 OR due <= $2), \
             count(*) FILTER (WHERE state = 2 AND due > $2), \
             count(*) FILTER (WHERE state = 1 AND due > $2), \
             min(enqueued_at) FILTER (WHERE state = 0 OR due <= $2) \
             FROM message WHERE queue = $1";
        let rows = self.rows(sql, &[&queue.as_str(), &now.0]).await?;
        let Some(row) = rows.first() else { return Ok(Depth::default()) };
        let count = |column: usize| row.get::<_, i64>(column) as u64;
        Ok(Depth {
            ready: count(0),
            delayed: count(1),
            leased: count(2),
            oldest: row.get::<_, Option<i64>>(3).map(Timestamp),
        })
    }

    /// One round trip. Behind a pooler the statement is a transaction of its own, sent at once
    /// and whole, so that neither another reader comes between nor it stays open.
    async fn rows(&self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
        let client = self.client().await?;
        let typed: Vec<_> = parameters.iter().map(|one| (*one as _, one.kind())).collect();
        let query = client.query_typed(sql, &typed);
        let rows = if self.options.pooled {
            let schema = &self.options.schema;
            let begin = format!("BEGIN READ ONLY; SET LOCAL search_path TO {schema}");
            let begin = client.batch_execute(&begin);
            let (begun, rows, _) = join3(begin, query, client.batch_execute("COMMIT")).await;
            begun.and(rows)
        } else {
            query.await
        };
        rows.map_err(|error| explain(&self.options.name(), &error))
    }

    async fn client(&self) -> Result<Arc<Client>, Error> {
        let mut kept = self.client.lock().await;
        if let Some(client) = kept.as_ref().filter(|client| !client.is_closed()) {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new(connect(&self.options, None).await?);
        *kept = Some(Arc::clone(&client));
        Ok(client)
    }

    /// What the tables hold is not what we write there.
    fn corrupt(&self, what: &str) -> Error {
        Error::Broken { name: self.options.name(), message: format!("unreadable {what}") }
    }

    fn failure(&self, text: Option<String>) -> Result<Option<Failure>, Error> {
        let read = |text: String| serde_json::from_str(&text).map_err(|_| self.corrupt(&text));
        text.map(read).transpose()
    }

    /// The known value of this number.
    fn nth<T: Copy>(&self, number: i16, known: &[T], what: &str) -> Result<T, Error> {
        let value = usize::try_from(number).ok().and_then(|place| known.get(place)).copied();
        value.ok_or_else(|| self.corrupt(&format!("{what} {number}")))
    }
}
