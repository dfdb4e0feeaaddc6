//! The writing connection with its prepared statements; made anew when it is lost.

use std::collections::HashMap;

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};
use waystation_core::port::Error;

use crate::connection::connect;
use crate::options::Options;

/// Parameters of a statement.
pub type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The connection.
pub struct Link {
    client: Client,
    statements: HashMap<&'static str, Statement>,
    options: Options,
}

impl Link {
    /// Takes a connection.
    pub fn new(client: Client, options: Options) -> Self {
        Self { client, statements: HashMap::new(), options }
    }

    /// Makes the connection anew when it was lost.
    pub async fn repair(&mut self) -> Result<(), Error> {
        if !self.client.is_closed() {
            return Ok(());
        }
        self.client = connect(&self.options, None).await?;
        self.statements.clear();
        Ok(())
    }

    /// Runs a statement and gives its rows.
    pub async fn rows(
        &mut self,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = self.statement(sql).await?;
        self.client.query(&statement, parameters).await
    }

    /// Runs a statement and gives the number of rows that it touched.
    pub async fn run(
        &mut self,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<u64, tokio_postgres::Error> {
        let statement = self.statement(sql).await?;
        self.client.execute(&statement, parameters).await
    }

    async fn statement(&mut self, sql: &'static str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.insert(sql, statement.clone());
        Ok(statement)
    }
}
