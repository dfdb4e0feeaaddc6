//! Connections, and how the schema comes to be.

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls};
use waystation_core::port::Error;

use crate::error::explain;
use crate::options::Options;

/// The layout's steps, in order.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_jobs.sql"),
    include_str!("migrations/0002_away.sql"),
    include_str!("migrations/0003_families.sql"),
    include_str!("migrations/0004_steps.sql"),
    include_str!("migrations/0005_progress.sql"),
    include_str!("migrations/0006_looking_on.sql"),
    include_str!("migrations/0007_turns.sql"),
    include_str!("migrations/0008_runs.sql"),
];
/// The version of the layout that this build makes.
pub const LAYOUT_VERSION: i64 = MIGRATIONS.len() as i64;
/// One process brings the layout up to date at a time: the lock's number, "WAYS".
const MIGRATION_LOCK: i64 = 0x5741_5953;

/// Opens a connection whose statements see our schema first. Notifications go to `notices`.
pub async fn connect(
    options: &Options,
    notices: Option<mpsc::UnboundedSender<String>>,
) -> Result<Client, Error> {
    let client = connect_plainly(options, notices).await?;
    if options.pooled {
        // Each transaction says so for itself.
        return Ok(client);
    }
    client
        .batch_execute(&format!("SET search_path TO {}", options.schema))
        .await
        .map_err(|error| explain(&options.name(), &error))?;
    Ok(client)
}

/// Opens a connection on which nothing is set.
pub async fn connect_plainly(
    options: &Options,
    notices: Option<mpsc::UnboundedSender<String>>,
) -> Result<Client, Error> {
    let refused = |error| explain(&options.name(), &error);
    if options.is_plain() {
        let (client, connection) = options.config.connect(NoTls).await.map_err(refused)?;
        tokio::spawn(serve(connection, notices));
        return Ok(client);
    }
    let broken = |message| Error::Broken { name: options.name(), message };
    let connector = options.tls.connector().map_err(broken)?;
    let (client, connection) = options.config.connect(connector).await.map_err(refused)?;
    tokio::spawn(serve(connection, notices));
    Ok(client)
}

/// Carries what goes to and fro on a connection until it ends.
async fn serve<S, T>(
    mut connection: Connection<S, T>,
    notices: Option<mpsc::UnboundedSender<String>>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        let next = std::future::poll_fn(|context| connection.poll_message(context));
        let Some(message) = next.await else { return };
        match message {
            Ok(AsyncMessage::Notification(notice)) => {
                if let Some(notices) = &notices {
                    let _ = notices.send(notice.payload().to_owned());
                }
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "connection to PostgreSQL lost");
                return;
            }
        }
    }
}

/// Brings the schema up to date, one process at a time.
pub async fn migrate(client: &mut Client, options: &Options) -> Result<(), Error> {
    let name = options.name();
    let known = LAYOUT_VERSION;
    let schema = &options.schema;
    let run = async {
        let transaction = client.transaction().await?;
        let lock = "SELECT pg_advisory_xact_lock($1)";
        transaction.query_typed(lock, &[(&MIGRATION_LOCK, Type::INT8)]).await?;
        transaction
            .batch_execute(&format!(
                "CREATE SCHEMA IF NOT EXISTS {schema}; \
                 CREATE TABLE IF NOT EXISTS {schema}.layout (version bigint NOT NULL); \
                 SET LOCAL search_path TO {schema};"
            ))
            .await?;
        let row = transaction.query_typed_one("SELECT max(version) FROM layout", &[]).await?;
        let found: i64 = row.get::<_, Option<i64>>(0).unwrap_or(0);
        for step in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX)) {
            transaction.batch_execute(step).await?;
        }
        if found < known {
            let insert = "INSERT INTO layout VALUES ($1)";
            transaction.execute_typed(insert, &[(&known, Type::INT8)]).await?;
        }
        transaction.commit().await?;
        Ok(found)
    };
    let found = run.await.map_err(|error: tokio_postgres::Error| explain(&name, &error))?;
    if found > known {
        return Err(Error::NewerVersion { name, found, known });
    }
    Ok(())
}
