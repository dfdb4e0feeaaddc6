//! The writing connection with its prepared statements; made anew when it is lost.
//!
//! Statements whose answer nobody needs before the commit are sent without waiting for it, so
//! that a transaction takes as many round trips as it has questions, not statements.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use futures_util::TryStreamExt;
use futures_util::future::{MaybeDone, maybe_done};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row, Statement};
use waystation_core::port::Error;

use crate::connection::connect;
use crate::error::Result;
use crate::options::Options;
use crate::parameter::{Encoded, Parameters};

/// A request that is under way.
type Request<T> = Pin<Box<MaybeDone<Pin<Box<dyn Future<Output = Result<T>> + Send>>>>>;

/// The connection.
pub struct Link {
    client: Arc<Client>,
    statements: HashMap<&'static str, Statement>,
    /// What was sent and not waited for, the oldest first.
    sent: VecDeque<Request<u64>>,
    options: Options,
}

impl Link {
    /// Takes a connection.
    pub fn new(client: Client, options: Options) -> Self {
        let client = Arc::new(client);
        Self { client, statements: HashMap::new(), sent: VecDeque::new(), options }
    }

    /// Makes the connection anew when it was lost.
    pub async fn repair(&mut self) -> std::result::Result<(), Error> {
        if !self.client.is_closed() {
            return Ok(());
        }
        self.client = Arc::new(connect(&self.options, None).await?);
        self.statements.clear();
        self.sent.clear();
        Ok(())
    }

    /// Runs a statement and gives its rows.
    pub async fn rows(
        &mut self,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>> {
        let rows = self.rows_of_each(sql, &[parameters]).await?;
        Ok(rows.into_iter().next().unwrap_or_default())
    }

    /// Runs a statement once for each set of parameters, and gives the rows of each.
    pub async fn rows_of_each(
        &mut self,
        sql: &'static str,
        sets: &[Parameters<'_>],
    ) -> Result<Vec<Vec<Row>>> {
        let mut requests = Vec::with_capacity(sets.len());
        for parameters in sets {
            let parameters = Encoded::all(parameters);
            let form = self.form(sql, &parameters).await?;
            requests.push(begin(rows(Arc::clone(&self.client), form, parameters)));
        }
        self.finish().await?;
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(end(request).await?);
        }
        Ok(answers)
    }

    /// Runs a statement and gives the number of rows that it touched.
    pub async fn run(&mut self, sql: &'static str, parameters: Parameters<'_>) -> Result<u64> {
        self.send(sql, parameters).await?;
        let last = self.sent.pop_back();
        self.finish().await?;
        match last {
            Some(request) => end(request).await,
            None => Ok(0),
        }
    }

    /// Sends a statement. Whether it succeeded is told by the next call that waits, at the latest
    /// by [`Self::run`].
    pub async fn send(&mut self, sql: &'static str, parameters: Parameters<'_>) -> Result<()> {
        let parameters = Encoded::all(parameters);
        let form = self.form(sql, &parameters).await?;
        self.sent.push_back(begin(run(Arc::clone(&self.client), form, parameters)));
        Ok(())
    }

    /// Sends the beginning of a transaction whose statements see our schema.
    pub async fn begin(&mut self) -> Result<()> {
        // Whoever waited for a lock must see what the other one did, whatever the default is.
        self.send("BEGIN ISOLATION LEVEL READ COMMITTED", &[]).await?;
        if self.options.pooled {
            let sql = "SELECT set_config('search_path', $1, true)";
            let schema = self.options.schema.clone();
            self.send(sql, &[&schema]).await?;
        }
        Ok(())
    }

    /// Waits for everything that was sent. The error is the first one's: in a transaction those
    /// behind it fail on its account.
    pub async fn finish(&mut self) -> Result<()> {
        let mut first = Ok(());
        for request in std::mem::take(&mut self.sent) {
            let result = end(request).await.map(drop);
            first = first.and(result);
        }
        first
    }

    /// The prepared statement, or its text where the next transaction may be another server's
    /// connection. Those sent before are waited for first: their answers come before
    /// its own, and the connection takes nothing more in while nobody takes them.
    async fn form(&mut self, sql: &'static str, parameters: &[Encoded]) -> Result<Form> {
        if self.options.pooled {
            return Ok(Form::Text(sql));
        }
        if let Some(statement) = self.statements.get(sql) {
            return Ok(Form::Prepared(statement.clone()));
        }
        self.finish().await?;
        let kinds: Vec<Type> = parameters.iter().map(|one| one.kind.clone()).collect();
        let statement = self.client.prepare_typed(sql, &kinds).await?;
        self.statements.insert(sql, statement.clone());
        Ok(Form::Prepared(statement))
    }
}

/// A statement as it is sent.
enum Form {
    Prepared(Statement),
    Text(&'static str),
}

async fn rows(client: Arc<Client>, form: Form, parameters: Vec<Encoded>) -> Result<Vec<Row>> {
    let rows = match form {
        Form::Prepared(statement) => client.query_raw(&statement, parameters).await?,
        Form::Text(sql) => {
            let typed = parameters.into_iter().map(|one| {
                let kind = one.kind.clone();
                (one, kind)
            });
            client.query_typed_raw(sql, typed).await?
        }
    };
    rows.try_collect().await
}

async fn run(client: Arc<Client>, form: Form, parameters: Vec<Encoded>) -> Result<u64> {
    match form {
        Form::Prepared(statement) => client.execute_raw(&statement, parameters).await,
        Form::Text(sql) => {
            let typed: Vec<_> = parameters
                .iter()
                .map(|one| (one as &(dyn ToSql + Sync), one.kind.clone()))
                .collect();
            client.execute_typed(sql, &typed).await
        }
    }
}

/// Polls a request for the first time, which sends it: requests go out in the order in which
/// they were begun.
fn begin<T>(request: impl Future<Output = Result<T>> + Send + 'static) -> Request<T> {
    let mut request: Request<T> = Box::pin(maybe_done(Box::pin(request)));
    let _ = request.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    request
}

/// Waits for a request.
async fn end<T>(mut request: Request<T>) -> Result<T> {
    request.as_mut().await;
    request.as_mut().take_output().expect("the output of a request is taken once")
}
