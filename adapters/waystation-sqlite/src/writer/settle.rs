//! Settlements: each one whole, fenced by what it ends.

use rusqlite::{OptionalExtension, Row, params};
use waystation_core::clock::Timestamp;
use waystation_core::settlement::{Ended, Next, Settled, Settlement};
use waystation_core::state::JobState;
use waystation_core::statistics::count_settlement;

use super::batch::Writer;
use super::family::ParentRow;
use super::turns::{KEPT, LineRow};

/// What was there to be ended.
struct Held {
    job: i64,
    /// Why somebody wants the job aborted.
    abort: Option<String>,
    body: Vec<u8>,
    /// When it came into its queue or into the inbox.
    since: Option<Timestamp>,
    /// The line that it was in.
    line: Option<LineRow>,
}

impl Writer {
    /// Applies settlements one after the other.
    pub(super) fn settle_all(
        &mut self,
        settlements: &[Settlement],
    ) -> rusqlite::Result<Vec<Settled>> {
        settlements.iter().map(|settlement| self.settle(settlement)).collect()
    }

    fn settle(&mut self, settlement: &Settlement) -> rusqlite::Result<Settled> {
        let Some(mut held) = self.end(settlement)? else { return Ok(Settled::Lost) };
        let was_handed_back = settlement.next == Next::HandBack;
        match held.abort.take() {
            Some(reason) if settlement.yields_to_abort() => {
                let body = std::mem::take(&mut held.body);
                let settlement = settlement.clone().overruled_by_abort(&reason, self.now, body);
                if was_handed_back {
                    self.drop_handed_back(&settlement.ended)?;
                    held.line = None;
                }
                self.apply(&held, &settlement)?;
                Ok(Settled::Aborted)
            }
            _ => {
                self.apply(&held, settlement)?;
                Ok(Settled::Applied)
            }
        }
    }

    /// Takes away what the settlement ends, if it is still there to be ended. What is out behind
    /// another one can only be handed back.
    fn end(&mut self, settlement: &Settlement) -> rusqlite::Result<Option<Held>> {
        let statement = match (&settlement.ended, &settlement.next) {
            (Ended::Delivery(_), Next::HandBack) => {
                "UPDATE message SET state = iif(state = 6, 5, 0), due = NULL, token = NULL, \
                 deliveries = deliveries - (state <> 6) WHERE message_id = ?1 AND token = ?2 \
                 RETURNING job, abort, body, enqueued_at, queue, key"
            }
            // Handing over is no delivery to a worker: those are the broker's to count.
            (Ended::Delivery(_), Next::HandOver) => {
                "UPDATE message SET state = 3, due = NULL, token = NULL, leased_at = NULL, \
                 deliveries = 0, turn = NULL \
                 WHERE message_id = ?1 AND token = ?2 AND state <> 6 \
                 RETURNING job, abort, NULL, enqueued_at, queue, key"
            }
            (Ended::Delivery(_), _) => {
                "DELETE FROM message WHERE message_id = ?1 AND token = ?2 AND state <> 6 \
                 RETURNING job, abort, NULL, enqueued_at, queue, key"
            }
            (Ended::Task(_), _) => {
                "DELETE FROM task WHERE task_id = ?1 \
                 RETURNING job, NULL, NULL, created_at, 0, NULL"
            }
            (Ended::DeadLetter(_), _) => {
                "DELETE FROM dead_letter WHERE dead_letter_id = ?1 \
                 RETURNING job, NULL, NULL, NULL, 0, NULL"
            }
        };
        let mut statement = self.connection.prepare_cached(statement)?;
        let held = |row: &Row<'_>| {
            let body: Option<Vec<u8>> = row.get(2)?;
            let body = body.unwrap_or_default();
            let since = row.get::<_, Option<i64>>(3)?.map(Timestamp);
            let line = LineRow::read(row, 4)?;
            Ok(Held { job: row.get(0)?, abort: row.get(1)?, body, since, line })
        };
        match &settlement.ended {
            Ended::Delivery(lease) => {
                statement.query_row(params![lease.delivery_id, lease.token as i64], held)
            }
            Ended::Task(number) | Ended::DeadLetter(number) => statement.query_row([number], held),
        }
        .optional()
    }

    /// An aborted job does not come back to its queue, also when it was handed back.
    fn drop_handed_back(&mut self, ended: &Ended) -> rusqlite::Result<()> {
        if let Ended::Delivery(lease) = ended {
            self.leave_line(lease.delivery_id)?;
            self.connection
                .prepare_cached("DELETE FROM message WHERE message_id = ?1")?
                .execute([lease.delivery_id])?;
        }
        Ok(())
    }

    /// The turn that what follows takes over. Where it takes none, the line moves up.
    fn turn_after(
        &mut self,
        held: &Held,
        settlement: &Settlement,
    ) -> rusqlite::Result<Option<i64>> {
        let Some(line) = &held.line else { return Ok(None) };
        if settlement.next == Next::HandBack {
            self.give_way(line)?;
            return Ok(None);
        }
        if let Next::Enqueue(message) | Next::Await(message, _) = &settlement.next
            && let Some(turn) = message.turn.as_ref().filter(|turn| turn.keeps_place)
            && turn.key.as_str() == line.key
            && self.names.number(&self.connection, message.queue.as_str())? == line.queue
        {
            return Ok(Some(KEPT));
        }
        self.move_up(line)?;
        Ok(None)
    }

    fn apply(&mut self, held: &Held, settlement: &Settlement) -> rusqlite::Result<()> {
        let job = held.job;
        let turn = self.turn_after(held, settlement)?;
        let stage = self.names.number(&self.connection, settlement.stage.as_str())?;
        if matches!(settlement.ended, Ended::DeadLetter(_)) && settlement.next != Next::Drop {
            self.forget_failure(job)?;
        }
        match &settlement.next {
            Next::Enqueue(message) => {
                let live = self.insert_message(job, message, turn)?;
                self.move_job(job, settlement.state, stage, live)?;
            }
            Next::Await(message, quorum) => {
                let live = self.hold_message(job, message, *quorum, turn)?;
                self.move_job(job, settlement.state, stage, live)?;
            }
            Next::Park(task) => {
                let live = self.insert_task(job, task)?;
                self.move_job(job, settlement.state, stage, live)?;
            }
            Next::HandBack => {
                if let Ended::Delivery(lease) = &settlement.ended {
                    self.note_filled(&lease.queue);
                    self.move_job(job, settlement.state, stage, lease.delivery_id)?;
                }
            }
            Next::End { body, failure } => {
                self.end_job(job, settlement.state, stage, failure.as_ref(), body)?;
                if let (Some(failure), JobState::Failed) = (failure, settlement.state) {
                    self.bury(job, stage, failure, body)?;
                }
            }
            Next::HandOver => {
                if let Ended::Delivery(lease) = &settlement.ended {
                    self.move_job(job, settlement.state, stage, lease.delivery_id)?;
                }
            }
            Next::Drop => {}
        }
        count_settlement(&mut self.sums, settlement, held.since);
        self.insert_events(job, &settlement.events)?;
        self.insert_log(job, &settlement.log)?;
        self.bear(&settlement.children)
    }

    /// A failed job is tried again.
    fn forget_failure(&mut self, job: i64) -> rusqlite::Result<()> {
        let parent = self
            .connection
            .prepare_cached(
                "UPDATE job SET failure = NULL, body = NULL WHERE job_number = ?1 \
                 RETURNING parent, parent_visit",
            )?
            .query_row([job], ParentRow::read)?;
        self.uncount_failure(parent)
    }
}
