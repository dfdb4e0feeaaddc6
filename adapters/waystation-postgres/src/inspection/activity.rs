//! What else goes on at the server: its connections, and who keeps dead rows from being cleared.

use waystation_core::port::Finding;

use super::Look;
use crate::error::Result;

/// What a process of ours needs at most: one that writes, one that reads, one that listens.
const CONNECTIONS_NEEDED: i64 = 3;
/// Below so many free connections somebody should know.
const CONNECTIONS_FREE_MIN: i64 = 10;
/// A snapshot that is older keeps every row that ended since.
const SNAPSHOT_AGE_MAX: i64 = 100_000;
const SNAPSHOT_MINUTES_MAX: i64 = 10;

impl Look<'_> {
    /// How many connections are left.
    pub async fn connections(&self) -> Result<Vec<Finding>> {
        let sql = "SELECT (SELECT count(*) FROM pg_stat_activity \
             WHERE backend_type = 'client backend'), \
             current_setting('max_connections')::bigint \
             - current_setting('superuser_reserved_connections')::bigint";
        let row = self.row(sql, &[]).await?;
        let (used, most): (i64, i64) = (row.get(0), row.get(1));
        // The one of this look ends with it.
        let (used, subject) = ((used - 1).max(0), "max_connections");
        let message = format!("{used} of {most} connections are in use");
        if used + CONNECTIONS_NEEDED > most || most - used < CONNECTIONS_FREE_MIN {
            let hint = format!(
                "each process takes {CONNECTIONS_NEEDED}; raise max_connections, or end what idles"
            );
            return Ok(vec![Finding::warn(subject, message, hint)]);
        }
        Ok(vec![Finding::fine(subject, message)])
    }

    /// Whether an old snapshot keeps the rows of ended messages from being cleared away: claims
    /// become slower and the tables grow for as long as it is held.
    pub async fn snapshots(&self) -> Result<Vec<Finding>> {
        let sql = "SELECT what, age(xmin)::bigint, minutes FROM ( \
             SELECT format('process %s (%s)', pid, application_name) AS what, \
             backend_xmin AS xmin, \
             (extract(epoch FROM now() - xact_start) / 60)::bigint AS minutes \
             FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid() \
             UNION ALL SELECT format('prepared transaction %s', gid), transaction, \
             (extract(epoch FROM now() - prepared) / 60)::bigint FROM pg_prepared_xacts \
             UNION ALL SELECT format('replication slot %s', slot_name), xmin, NULL \
             FROM pg_replication_slots WHERE xmin IS NOT NULL) AS held \
             WHERE age(xmin) > $1 OR minutes >= $2 ORDER BY 2 DESC LIMIT 1";
        let rows = self.rows(sql, &[&SNAPSHOT_AGE_MAX, &SNAPSHOT_MINUTES_MAX]).await?;
        let Some(row) = rows.first() else {
            let message = "no transaction is open for long, of those that this role may see";
            return Ok(vec![Finding::fine("snapshots", message)]);
        };
        let (what, age): (String, i64) = (row.get(0), row.get(1));
        let message = format!(
            "{what} holds a snapshot that is {age} transactions old: ended messages are not \
             cleared away, the tables grow"
        );
        let hint = "end its transaction; idle_in_transaction_session_timeout does so by itself";
        Ok(vec![Finding::warn("snapshots", message, hint)])
    }
}
