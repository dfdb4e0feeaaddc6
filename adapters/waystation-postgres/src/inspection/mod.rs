//! Looks at a server before anybody relies on it. Nothing is changed there.
//!
//! Every statement is one round trip without preparation, so that the look gives its answer
//! behind a pooler, too.

mod activity;
mod place;
mod session;
mod settings;

use tokio_postgres::{Client, Row};
use waystation_core::clock::Clock;
use waystation_core::port::{Error, Finding};

use crate::connection::connect_plainly;
use crate::error::explain;
use crate::options::Options;
use crate::parameter::Parameters;

/// Looks at the server: its durability, its place for us, its clock, its load, and whether
/// connections to it keep what a session needs. With `unsafe=allow` what endangers data is told
/// as a warning.
pub async fn inspect(options: &Options, clock: &dyn Clock) -> Result<Vec<Finding>, Error> {
    let name = options.name();
    let client = connect_plainly(options, None).await?;
    let look = Look { client, options, clock };
    let explained = |error: tokio_postgres::Error| explain(&name, &error);
    let mut findings = look.settings().await.map_err(explained)?;
    findings.extend(look.clocks().await.map_err(explained)?);
    if options.unsafe_allowed {
        findings = findings.into_iter().map(Finding::meant).collect();
    }
    findings.extend(look.place().await.map_err(explained)?);
    findings.extend(look.connections().await.map_err(explained)?);
    findings.extend(look.snapshots().await.map_err(explained)?);
    findings.push(look.session().await?);
    Ok(findings)
}

/// A look that is under way.
struct Look<'a> {
    client: Client,
    options: &'a Options,
    clock: &'a dyn Clock,
}

impl Look<'_> {
    async fn rows(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let typed: Vec<_> = parameters.iter().map(|one| (*one as _, one.kind())).collect();
        self.client.query_typed(sql, &typed).await
    }

    async fn row(
        &self,
        sql: &str,
        parameters: Parameters<'_>,
    ) -> Result<Row, tokio_postgres::Error> {
        let typed: Vec<_> = parameters.iter().map(|one| (*one as _, one.kind())).collect();
        self.client.query_typed_one(sql, &typed).await
    }
}
