//! PostgreSQL servers. What a source asks, it asks in transactions that may only read.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use serde_json::Value;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Client, Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};

use super::Row;
use super::query::Asked;

/// How long it may take to reach a server, unless the URL says otherwise.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A server.
#[derive(Clone)]
pub struct Server {
    config: Config,
    /// How long a question to it may take.
    pub timeout: Duration,
}

/// A connection to one. It is closed when it is dropped.
pub struct Connection {
    /// What asks.
    pub client: Client,
    server: Server,
}

impl Server {
    /// The server of this URL.
    pub fn of(url: &str, timeout: Duration) -> Result<Self, String> {
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let below = error.source().map(ToString::to_string).unwrap_or_default();
            format!("{error}: {below}")
        })?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_MAX);
        }
        Ok(Self { config, timeout })
    }

    /// Connects. With `sslmode=require` the server must have a certificate that this machine
    /// trusts; otherwise there is no TLS.
    pub async fn connect(&self) -> Result<Connection, Failure> {
        let failed = |error| self.failed(&error);
        let client = if self.config.get_ssl_mode() == SslMode::Require {
            let connector = connector().map_err(|error| Failure::new(ErrorKind::Error, error))?;
            let (client, connection) = self.config.connect(connector).await.map_err(failed)?;
            tokio::spawn(connection);
            client
        } else {
            let mut config = self.config.clone();
            config.ssl_mode(SslMode::Disable);
            let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
            tokio::spawn(connection);
            client
        };
        Ok(Connection { client, server: self.clone() })
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        self.config.get_dbname().unwrap_or("postgres")
    }

    fn failed(&self, error: &tokio_postgres::Error) -> Failure {
        let name = self.name();
        let kind = match error.code() {
            // What is written wrong does not get better.
            Some(code) if code.code().starts_with("42") => ErrorKind::Permanent,
            Some(_) => ErrorKind::Error,
            None => ErrorKind::Transient,
        };
        let below = Failure::from_error(kind, error);
        let mut failure = Failure::new(kind, format!("cannot read the database `{name}`"));
        failure.causes.push(below.message);
        failure.causes.extend(below.causes);
        failure
    }
}

impl Connection {
    /// What it answers.
    pub async fn rows(&mut self, asked: Asked) -> Result<Vec<Row>, Failure> {
        let limit = self.server.timeout;
        let answer = tokio::time::timeout(limit, self.ask(&asked)).await.map_err(|_| {
            let seconds = limit.as_secs_f64();
            let message = format!("the database did not answer within {seconds} s");
            Failure::new(ErrorKind::Timeout, message)
        })?;
        answer.map_err(|error| self.server.failed(&error))?.iter().map(row).collect()
    }

    async fn ask(
        &mut self,
        asked: &Asked,
    ) -> Result<Vec<tokio_postgres::Row>, tokio_postgres::Error> {
        let milliseconds = self.server.timeout.as_millis().clamp(1, i32::MAX as u128);
        let transaction = self.client.build_transaction().read_only(true).start().await?;
        // Moments are compared by their texts' meaning; the texts are the same wherever we run.
        let set = format!(
            "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO'; \
                           SET LOCAL statement_timeout = {milliseconds}"
        );
        transaction.batch_execute(&set).await?;
        let values: Vec<Text> =
            asked.values.iter().map(|value| Text(super::plain(value))).collect();
        let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
        let rows = transaction.query(&asked.text, &values).await?;
        transaction.commit().await?;
        Ok(rows)
    }
}

fn row(row: &tokio_postgres::Row) -> Result<Row, Failure> {
    let broken = |error: &dyn Error| Failure::from_error(ErrorKind::Contract, error);
    let text = |index: usize| row.try_get::<_, String>(index).map_err(|error| broken(&error));
    let params: Params = serde_json::from_str(&text(2)?).map_err(|error| broken(&error))?;
    Ok(Row { watermark: Value::from(text(0)?), id: Value::from(text(1)?), params })
}

/// A parameter of whatever type the server finds it to be, written as a text.
#[derive(Debug)]
struct Text(String);

impl ToSql for Text {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
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

/// TLS to servers whose certificates come from authorities that this machine trusts.
fn connector() -> Result<MakeRustlsConnect, String> {
    let mut roots = rustls::RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if good == 0 {
        return Err("this system has no certificates of authorities".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}
