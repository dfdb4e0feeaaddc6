//! What becomes due by itself: delays that are over and leases that ran out.

use std::collections::HashMap;

use serde_json::json;
use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::{Event, EventKind};
use waystation_core::id::{PipelineName, QueueName};
use waystation_core::statistics::count_events;

use super::batch::{Result, Writer};

// At most so many in one transaction; the rest is due in the next. The token stays: until
// somebody else gets the delivery, its late holder may still settle it.
// What was held back and has a key takes its place in line, unless it kept one. What was out
// behind another one returns to its place, as if it had not been handed out.
const RECLAIM: &str = "WITH over AS (SELECT message_id, due, \
     state = 2 AND key IS NOT NULL AND turn IS NULL AS late, state = 6 AS behind \
     FROM message WHERE due <= $1 ORDER BY due LIMIT 5000 FOR UPDATE SKIP LOCKED) \
     UPDATE message SET state = CASE WHEN late OR behind THEN 5 ELSE 0 END, due = NULL, \
     token = CASE WHEN behind THEN NULL ELSE token END \
     FROM over WHERE message.message_id = over.message_id \
     RETURNING message.message_id, queue, job, deliveries, abort, body, \
     (token IS NOT NULL OR behind) AND leased_at IS NOT NULL, late, over.due, behind";

impl Writer {
    /// Releases what is due, up to a limit, and finds out when the next is.
    pub(super) async fn release_due(&mut self) -> Result<()> {
        if self.next_due.is_none_or(|due| due > self.now) {
            return Ok(());
        }
        let rows = self.link.rows(RECLAIM, &[&self.now.0]).await?;
        let mut late = Vec::new();
        for row in &rows {
            if row.get(7) {
                late.push((row.get::<_, i64>(8), row.get::<_, i64>(0)));
            } else if !row.get::<_, bool>(9) {
                self.note_filled(&QueueName::from(row.get::<_, &str>(1)));
            }
        }
        late.sort_unstable();
        let late: Vec<i64> = late.into_iter().map(|(_, message)| message).collect();
        self.line_up(&late).await?;
        // Only what was handed out has a token, and what was only carried no start.
        let lost: Vec<&Row> = rows.iter().filter(|row| row.get(6)).collect();
        let begun: Vec<&Row> = lost.iter().filter(|row| !row.get::<_, bool>(9)).copied().collect();
        self.note_abandoned(&begun).await?;
        for row in lost {
            if let Some(reason) = row.get::<_, Option<&str>>(4) {
                self.abort_reclaimed(row.get(0), row.get(2), reason).await?;
            }
        }
        let sql = "SELECT min(due) FROM message WHERE due IS NOT NULL";
        let rows = self.link.rows(sql, &[]).await?;
        self.next_due = rows.first().and_then(|row| row.get::<_, Option<i64>>(0)).map(Timestamp);
        Ok(())
    }

    /// Writes down which attempts were abandoned, and counts them.
    async fn note_abandoned(&mut self, lost: &[&Row]) -> Result<()> {
        if lost.is_empty() {
            return Ok(());
        }
        let jobs: Vec<i64> = lost.iter().map(|row| row.get(2)).collect();
        let sql = "SELECT job_number, job_id, pipeline, stage FROM job WHERE job_number = ANY($1)";
        let rows = self.link.rows(sql, &[&jobs]).await?;
        let places: HashMap<i64, &Row> = rows.iter().map(|row| (row.get(0), row)).collect();
        let mut events = Vec::with_capacity(lost.len());
        for row in lost {
            let (job, deliveries): (i64, i32) = (row.get(2), row.get(3));
            let Some(place) = places.get(&job) else { continue };
            // What cannot be parsed is found out by the worker that gets it.
            let (visit, attempt) = Contract::parse(row.get(5))
                .map_or((1, 1), |contract| (contract.visit, contract.retry_count + 1));
            let event = Event {
                job_id: place.get::<_, &str>(1).into(),
                kind: EventKind::Abandoned,
                stage: place.get::<_, &str>(3).into(),
                visit,
                attempt,
                at: self.now,
                detail: Some(json!({ "deliveries": deliveries })),
            };
            let pipeline = PipelineName::from(place.get::<_, &str>(2));
            count_events(&mut self.sums, &pipeline, std::slice::from_ref(&event), None);
            events.push((job, event));
        }
        let events: Vec<(i64, &Event)> = events.iter().map(|(job, event)| (*job, event)).collect();
        self.insert_events(&events).await
    }
}
