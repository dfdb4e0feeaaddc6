//! Whether a connection is a session: behind a pooler in transaction mode it is not.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use waystation_core::port::{Error, Finding};

use super::Look;
use crate::connection::connect_plainly;
use crate::error::explain;
use crate::writer::LOOK_AROUND_POOLED;

/// How long a pooler may take to give the second connection a server of its own, and a notice to
/// arrive.
const WAIT_MAX: Duration = Duration::from_secs(2);
const SUBJECT: &str = "pooler";

impl Look<'_> {
    /// Sets something on one connection, keeps the server's side of it busy by another, and looks
    /// whether the first still has it. Then lets a notice go through.
    pub async fn session(&self) -> Result<Finding, Error> {
        let name = self.options.name();
        let explained = |error: tokio_postgres::Error| explain(&name, &error);
        let (sender, mut notices) = mpsc::unbounded_channel();
        let first = connect_plainly(self.options, Some(sender)).await?;
        let second = connect_plainly(self.options, None).await?;
        first.batch_execute("SET waystation.probe = 'kept'").await.map_err(explained)?;
        // A pooler gives this one the server that was just set free, and the first one another.
        second.batch_execute("BEGIN").await.map_err(explained)?;
        let probe = first
            .query_typed_one("SELECT coalesce(current_setting('waystation.probe', true), '')", &[]);
        let kept = match timeout(WAIT_MAX, probe).await {
            Ok(row) => row.map_err(explained)?.get::<_, String>(0) == "kept",
            // No other server is to be had.
            Err(_) => false,
        };
        second.batch_execute("ROLLBACK").await.map_err(explained)?;
        match (kept, self.options.pooled) {
            (false, false) => return Ok(refused()),
            (false, true) => return Ok(known()),
            (true, true) => return Ok(superfluous()),
            (true, false) => {}
        }
        let listen = "LISTEN waystation_probe; NOTIFY waystation_probe";
        first.batch_execute(listen).await.map_err(explained)?;
        Ok(match timeout(WAIT_MAX, notices.recv()).await {
            Ok(Some(_)) => Finding::fine(SUBJECT, "connections are sessions, and notices arrive"),
            _ => Finding::warn(
                SUBJECT,
                "notices do not arrive: what other processes do is seen within a second",
                "connect to the server itself, not by way of a pooler",
            ),
        })
    }
}

fn refused() -> Finding {
    Finding::refuse(
        SUBJECT,
        "connections do not keep their session: there is a pooler in transaction mode between",
        "add pooler=transaction to the URL, or connect to the server itself",
    )
}

fn known() -> Finding {
    let milliseconds = LOOK_AROUND_POOLED.as_millis();
    Finding::warn(
        SUBJECT,
        format!(
            "pooler=transaction: no notices arrive, what other processes do is seen within \
             {milliseconds} ms"
        ),
        "connect to the server itself where that matters",
    )
}

fn superfluous() -> Finding {
    Finding::warn(
        SUBJECT,
        "pooler=transaction is set, but connections keep their session",
        "leave it out: prepared statements and notices are quicker",
    )
}
