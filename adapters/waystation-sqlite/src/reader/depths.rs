//! How much waits in queues.

use rusqlite::{Connection, params};
use waystation_core::clock::Timestamp;
use waystation_core::id::QueueName;
use waystation_core::port::Depth;

use crate::names;

/// How much waits in a queue.
pub fn depth(
    connection: &Connection,
    queue: &QueueName,
    now: Timestamp,
) -> rusqlite::Result<Depth> {
    let Some(queue) = names::find(connection, queue.as_str())? else {
        return Ok(Depth::default());
    };
    // What is due counts as ready although nobody has asked for it yet.
    let ready: (u64, Option<i64>, u64) = connection
        .prepare_cached(
            // Two halves, each by an index of its own.
            "SELECT sum(messages), min(oldest), sum(urgent) FROM ( \
             SELECT count(*) AS messages, min(enqueued_at) AS oldest, \
             count(*) FILTER (WHERE rank < 0) AS urgent FROM message \
             WHERE queue = ?1 AND state = 0 \
             UNION ALL SELECT count(*), min(enqueued_at), count(*) FILTER (WHERE rank < 0) \
             FROM message \
             WHERE queue = ?1 AND due <= ?2 AND state <> 6)",
        )?
        .query_row(params![queue, now.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let (leased, delayed) = connection
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE state IN (1, 6)), count(*) FILTER (WHERE state = 2) \
             FROM message WHERE queue = ?1 AND due > ?2",
        )?
        .query_row(params![queue, now.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let behind = connection
        .prepare_cached(
            "SELECT count(*) FROM message \
             WHERE queue = ?1 AND (state = 5 OR state = 6 AND due <= ?2)",
        )?
        .query_row(params![queue, now.0], |row| row.get(0))?;
    let (ready, oldest, priority) = ready;
    Ok(Depth { ready, priority, delayed, behind, leased, oldest: oldest.map(Timestamp) })
}

/// Every queue in which something waits or is out, by name. What a broker has is counted as the
/// journal told of it last; what waits for children is in none.
pub fn depths(
    connection: &Connection,
    now: Timestamp,
) -> rusqlite::Result<Vec<(QueueName, Depth)>> {
    let mut select = connection.prepare_cached(
        "SELECT name.text, sum(ready), sum(delayed), sum(leased), min(oldest), sum(behind), \
         sum(urgent) FROM ( \
         SELECT queue, count(*) AS ready, 0 AS delayed, 0 AS leased, min(enqueued_at) AS oldest, \
         0 AS behind, count(*) FILTER (WHERE rank < 0) AS urgent \
         FROM message WHERE state = 0 GROUP BY queue \
         UNION ALL SELECT queue, count(*) FILTER (WHERE due <= ?1 AND state <> 6), \
         count(*) FILTER (WHERE due > ?1 AND state = 2), \
         count(*) FILTER (WHERE due > ?1 AND state IN (1, 6)), \
         min(enqueued_at) FILTER (WHERE due <= ?1 AND state <> 6), \
         count(*) FILTER (WHERE due <= ?1 AND state = 6), \
         count(*) FILTER (WHERE due <= ?1 AND state <> 6 AND rank < 0) \
         FROM message WHERE due IS NOT NULL GROUP BY queue \
         UNION ALL SELECT queue, \
         count(*) FILTER (WHERE leased_at IS NULL AND coalesce(not_before, 0) <= ?1), \
         count(*) FILTER (WHERE leased_at IS NULL AND not_before > ?1), \
         count(*) FILTER (WHERE leased_at IS NOT NULL), \
         min(enqueued_at) FILTER (WHERE leased_at IS NULL AND coalesce(not_before, 0) <= ?1), \
         0, count(*) FILTER (WHERE leased_at IS NULL AND coalesce(not_before, 0) <= ?1 \
         AND rank < 0) FROM message WHERE state = 3 GROUP BY queue \
         UNION ALL SELECT queue, 0, 0, 0, NULL, count(*), 0 \
         FROM message WHERE state = 5 GROUP BY queue \
         ) AS counted JOIN name ON name.name_id = counted.queue GROUP BY 1 ORDER BY 1",
    )?;
    let rows = select.query_map([now.0], |row| {
        let queue: String = row.get(0)?;
        let depth = Depth {
            ready: row.get(1)?,
            priority: row.get(6)?,
            delayed: row.get(2)?,
            behind: row.get(5)?,
            leased: row.get(3)?,
            oldest: row.get::<_, Option<i64>>(4)?.map(Timestamp),
        };
        Ok((QueueName::from(queue), depth))
    })?;
    rows.collect()
}
