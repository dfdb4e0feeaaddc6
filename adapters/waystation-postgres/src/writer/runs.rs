//! Messages of one key that are handed out together.
//!
//! [The migration](../migrations/0008_runs.sql) tells how they are kept; [`super::in_turn`] which
//! of them a batch of settlements may end.

use std::collections::HashMap;

use waystation_core::id::QueueName;
use waystation_core::port::RECEIVE_MAX;
use waystation_core::settlement::Delivery;

use super::batch::{Result, Writer};
use super::claim::delivery;

// Nothing of a line of which some are out already. What somebody else holds at this moment ends the
// run before it, and so does what was handed out before. The delivery counts when all before it
// have left.
const CLAIM_BEHIND: &str = "WITH behind AS (SELECT line.place AS line, next.message_id, \
     row_number() OVER (PARTITION BY line.place ORDER BY next.rank, next.turn) AS place, \
     row_number() OVER (ORDER BY line.place, next.rank, next.turn) AS nth \
     FROM unnest($2::text[]) WITH ORDINALITY AS line (key, place) \
     CROSS JOIN LATERAL (SELECT message_id, rank, coalesce(turn, message_id) AS turn FROM message \
     WHERE queue = $1 AND key = line.key AND state = 5 \
     ORDER BY rank, coalesce(turn, message_id) LIMIT $3) AS next \
     WHERE NOT EXISTS (SELECT 1 FROM message \
     WHERE queue = $1 AND key = line.key AND state = 6)), \
     free AS MATERIALIZED (SELECT message_id FROM message \
     WHERE message_id IN (SELECT message_id FROM behind WHERE nth <= $4) \
     AND state = 5 AND deliveries = 0 FOR UPDATE SKIP LOCKED), \
     taken AS (SELECT line, min(place) AS place FROM behind \
     WHERE message_id NOT IN (SELECT message_id FROM free) GROUP BY line) \
     UPDATE message SET state = 6, due = $5, token = nextval('lease_token'), leased_at = $6 \
     FROM behind LEFT JOIN taken USING (line) \
     WHERE message.message_id = behind.message_id \
     AND (taken.place IS NULL OR behind.place < taken.place) \
     RETURNING message.message_id, token, rank, deliveries + 1, enqueued_at, body, key, \
     behind.place";

impl Writer {
    /// Leases what comes directly behind heads that were claimed, of these keys: of each up to so
    /// many, until a moment and since another. Gives all in order, each key's together.
    pub(super) async fn add_runs(
        &mut self,
        queue: &QueueName,
        heads: Vec<Delivery>,
        keys: &[&str],
        (most, until, since): (usize, i64, Option<i64>),
    ) -> Result<Vec<Delivery>> {
        let room = RECEIVE_MAX.saturating_sub(heads.len());
        if keys.is_empty() || room == 0 {
            return Ok(heads);
        }
        let (keys, most, room) = (keys.to_vec(), most.min(room) as i64, room as i64);
        // In the order of the heads, so that the room is the first ones'.
        let sorted: Vec<&str> = heads
            .iter()
            .filter_map(|head| head.key.as_ref().map(waystation_core::key::Key::as_str))
            .filter(|key| keys.contains(key))
            .collect();
        let queue_name = queue.as_str();
        let rows = self
            .link
            .rows(CLAIM_BEHIND, &[&queue_name, &sorted, &most, &room, &until, &since])
            .await?;
        let mut runs: HashMap<String, Vec<(i64, Delivery)>> = HashMap::new();
        for row in &rows {
            runs.entry(row.get(6)).or_default().push((row.get(7), delivery(queue, row)));
        }
        let mut deliveries = Vec::with_capacity(heads.len() + rows.len());
        for head in heads {
            let run = head.key.as_ref().and_then(|key| runs.remove(key.as_str()));
            deliveries.push(head);
            let mut run = run.unwrap_or_default();
            run.sort_unstable_by_key(|(place, _)| *place);
            deliveries.extend(run.into_iter().map(|(_, delivery)| delivery));
        }
        Ok(deliveries)
    }
}
