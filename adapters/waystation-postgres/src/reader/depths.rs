//! How much waits in queues. What is due counts as ready although nobody has asked for it.

use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::id::QueueName;
use waystation_core::port::{Depth, Error};

use super::Reader;

const COUNTS: &str = "count(*) FILTER (WHERE state = 0 OR due <= $1 AND state <> 6), \
     count(*) FILTER (WHERE state = 2 AND due > $1), \
     count(*) FILTER (WHERE state IN (1, 6) AND due > $1), \
     min(enqueued_at) FILTER (WHERE state = 0 OR due <= $1 AND state <> 6), \
     count(*) FILTER (WHERE state = 5 OR state = 6 AND due <= $1), \
     count(*) FILTER (WHERE (state = 0 OR due <= $1 AND state <> 6) AND rank < 0)";

/// What a broker has, as the journal told of it last.
const AWAY_COUNTS: &str = "\
     count(*) FILTER (WHERE leased_at IS NULL AND coalesce(not_before, 0) <= $1), \
     count(*) FILTER (WHERE leased_at IS NULL AND not_before > $1), \
     count(*) FILTER (WHERE leased_at IS NOT NULL), \
     min(enqueued_at) FILTER (WHERE leased_at IS NULL AND coalesce(not_before, 0) <= $1), \
     0::bigint, \
     count(*) FILTER (WHERE leased_at IS NULL AND coalesce(not_before, 0) <= $1 AND rank < 0)";

impl Reader {
    /// How much waits in a queue.
    pub async fn depth(&self, queue: &QueueName, now: Timestamp) -> Result<Depth, Error> {
        // The three parts are those of the indexes.
        let sql = format!(
            "SELECT {COUNTS} FROM message \
             WHERE queue = $2 AND (state = 0 OR state = 5 OR due IS NOT NULL)"
        );
        let rows = self.rows(&sql, &[&now.0, &queue.as_str()]).await?;
        Ok(rows.first().map_or_else(Depth::default, |row| depth(row, 0)))
    }

    /// Every queue in which something waits or is out, by name. What a broker has is counted as the
    /// journal told of it last; what waits for children is in none.
    pub async fn depths(&self, now: Timestamp) -> Result<Vec<(QueueName, Depth)>, Error> {
        let sql = format!(
            "SELECT queue, sum(ready)::bigint, sum(delayed)::bigint, sum(leased)::bigint, \
             min(oldest), sum(behind)::bigint, sum(urgent)::bigint FROM ( \
             SELECT queue, {COUNTS} FROM message \
             WHERE state = 0 OR state = 5 OR due IS NOT NULL GROUP BY queue \
             UNION ALL SELECT queue, {AWAY_COUNTS} FROM message WHERE state = 3 GROUP BY queue \
             ) AS counted (queue, ready, delayed, leased, oldest, behind, urgent) \
             GROUP BY queue ORDER BY queue COLLATE \"C\""
        );
        let rows = self.rows(&sql, &[&now.0]).await?;
        Ok(rows.iter().map(|row| (QueueName::from(row.get::<_, &str>(0)), depth(row, 1))).collect())
    }
}

/// What is counted from this column on.
fn depth(row: &Row, first: usize) -> Depth {
    let count = |column: usize| row.get::<_, i64>(first + column) as u64;
    let oldest = row.get::<_, Option<i64>>(first + 3).map(Timestamp);
    Depth {
        ready: count(0),
        priority: count(5),
        delayed: count(1),
        behind: count(4),
        leased: count(2),
        oldest,
    }
}
