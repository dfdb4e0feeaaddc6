//! What becomes due by itself: delays that are over and leases that ran out.

use serde_json::json;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::EventKind;
use waystation_core::id::QueueName;

use super::batch::{Result, Writer};
use crate::rows::kind_number;

// At most so many in one transaction; the rest is due in the next. The token stays: until
// somebody else gets the delivery, its late holder may still settle it.
const RECLAIM: &str = "UPDATE message SET state = 0, due = NULL WHERE message_id IN \
     (SELECT message_id FROM message WHERE due <= $1 ORDER BY due LIMIT 5000 \
     FOR UPDATE SKIP LOCKED) \
     RETURNING message_id, queue, job, deliveries, abort, body, \
     token IS NOT NULL AND leased_at IS NOT NULL";

impl Writer {
    /// Releases what is due, up to a limit, and finds out when the next is.
    pub(super) async fn release_due(&mut self) -> Result<()> {
        if self.next_due.is_none_or(|due| due > self.now) {
            return Ok(());
        }
        let rows = self.link.rows(RECLAIM, &[&self.now.0]).await?;
        for row in rows {
            self.note_filled(&QueueName::from(row.get::<_, String>(1)));
            // Only what was handed out has a token, and what was only carried no start.
            if row.get(6) {
                let (job, deliveries): (i64, i32) = (row.get(2), row.get(3));
                self.note_abandoned(job, deliveries, row.get(5)).await?;
                if let Some(reason) = row.get::<_, Option<String>>(4) {
                    self.abort_reclaimed(row.get(0), job, &reason).await?;
                }
            }
        }
        let sql = "SELECT min(due) FROM message WHERE due IS NOT NULL";
        let rows = self.link.rows(sql, &[]).await?;
        self.next_due = rows.first().and_then(|row| row.get::<_, Option<i64>>(0)).map(Timestamp);
        Ok(())
    }

    async fn note_abandoned(&mut self, job: i64, deliveries: i32, body: &[u8]) -> Result<()> {
        // What cannot be parsed is found out by the worker that gets it.
        let (visit, attempt) = Contract::parse(body)
            .map_or((1, 1), |contract| (contract.visit, contract.retry_count + 1));
        let detail = json!({ "deliveries": deliveries }).to_string();
        let sql = "INSERT INTO event (job, kind, stage, visit, attempt, at, detail) \
             SELECT job_number, $2, stage, $3, $4, $5, $6 FROM job WHERE job_number = $1";
        let kind = kind_number(EventKind::Abandoned);
        let (visit, attempt) = (visit as i32, attempt as i32);
        self.link.send(sql, &[&job, &kind, &visit, &attempt, &self.now.0, &detail]).await
    }
}
