//! Reading, on a connection of its own: readers never wait for the writer, nor it for them. What is
//! written beside the jobs goes over it as well, a statement at a time.

mod depths;
mod family;
mod feed;
mod inbox;
mod jobs;
mod page;
mod pipelines;
mod records;
mod statistics;
mod steps;
mod timeline;
mod turns;

use std::sync::Arc;

use futures_util::future::join3;
use tokio::sync::Mutex;
use tokio_postgres::{Client, Row};
use waystation_core::failure::Failure;
use waystation_core::port::Error;

use crate::connection::connect;
use crate::error::{explain, is_conflict};
use crate::options::Options;
use crate::parameter::Parameters;

/// How often a statement that conflicts with another is run again.
const TRIES_MAX: u32 = 8;

/// The connection that reads; made at the first read, and anew when it was lost.
pub struct Reader {
    options: Options,
    client: Mutex<Option<Arc<Client>>>,
    /// How far the feed may be read.
    horizon: std::sync::Mutex<feed::Horizon>,
}

impl Reader {
    /// Not connected yet.
    pub fn new(options: Options) -> Self {
        Self { options, client: Mutex::new(None), horizon: std::sync::Mutex::default() }
    }

    /// One round trip.
    async fn rows(&self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
        let client = self.client().await?;
        let rows = self.ask(&client, "BEGIN READ ONLY", sql, parameters).await;
        rows.map_err(|error| explain(&self.options.name(), &error))
    }

    /// A statement that writes, in a transaction of its own: for what has nothing to do with jobs
    /// that move, and is not to keep them waiting. Durable when it returns, and run again when it
    /// conflicts with another.
    async fn change(&self, sql: &str, parameters: Parameters<'_>) -> Result<Vec<Row>, Error> {
        let client = self.client().await?;
        let mut tries = 1;
        loop {
            match self.ask(&client, "BEGIN", sql, parameters).await {
                Err(error) if is_conflict(&error) && tries < TRIES_MAX => tries += 1,
                result => return result.map_err(|error| explain(&self.options.name(), &error)),
            }
        }
    }

    /// Behind a pooler the statement is a transaction of its own, sent at once and whole, so that
    /// neither another reader comes between nor it stays open.
    async fn ask(
        &self,
        client: &Client,
        begin: &str,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> crate::error::Result<Vec<Row>> {
        let typed: Vec<_> = parameters.iter().map(|one| (*one as _, one.kind())).collect();
        let query = client.query_typed(sql, &typed);
        if !self.options.pooled {
            return query.await;
        }
        let begin = format!("{begin}; SET LOCAL search_path TO {}", self.options.schema);
        let (begin, commit) = (client.batch_execute(&begin), client.batch_execute("COMMIT"));
        let (begun, rows, committed) = join3(begin, query, commit).await;
        begun?;
        let rows = rows?;
        committed.map(|()| rows)
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
