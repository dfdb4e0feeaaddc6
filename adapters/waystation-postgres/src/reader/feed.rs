//! What happened to all jobs, in the order of the events' numbers.
//!
//! Numbers are given out before their transactions commit, so that a later number may be seen
//! before an earlier one. Nobody reads past a number that may still be filled in. Who draws a
//! number holds the lock of the table for writing, since before the draw and until its commit can
//! be seen; and numbers are drawn in their order. So once everybody has ended who had the lock when
//! a number was the newest to be seen, all that is to come up to that number is there. It costs
//! writers nothing, and no other long transaction in the server holds the feed up.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::event::{Event, EventKind};
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::job::{Feed, PAGE_MAX};
use waystation_core::port::Error;

use super::Reader;

/// How long a reader waits for those who write, before it is given what it can have already.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long one waits who asks only for the place: there is none that can be had already.
const PATIENCE_FOR_A_PLACE: Duration = Duration::from_secs(10);
/// Between two looks.
const NAP: Duration = Duration::from_millis(2);
const NAP_MAX: Duration = Duration::from_millis(50);

// The snapshot is older than the look at the locks: who is not among those who hold one has ended
// and is seen by the next snapshot, or drew no number that this one knows a later number of.
const LOOK: &str = "SELECT (SELECT max(event_id) FROM event), \
     ARRAY(SELECT virtualtransaction FROM pg_locks \
     WHERE locktype = 'relation' AND relation = 'event'::regclass AND granted \
     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
     AND mode = 'RowExclusiveLock')";
const READ: &str = "SELECT event_id, pipeline, job_id, kind, event.stage, visit, attempt, at, \
     detail FROM event JOIN job ON job.job_number = event.job \
     WHERE event_id > $1 AND event_id <= $2 ORDER BY event_id LIMIT $3";

/// How far the feed may be read.
#[derive(Default)]
pub struct Horizon {
    /// Up to this number.
    safe: i64,
    /// Up to this one, when none of these transactions goes on any more.
    next: Option<(i64, HashSet<String>)>,
}

impl Horizon {
    /// Takes in the newest number that is seen, and who writes at that time or after it.
    fn see(&mut self, newest: i64, writing: &HashSet<String>) {
        if let Some((_, before)) = &mut self.next {
            before.retain(|one| writing.contains(one));
        }
        match &self.next {
            Some((number, before)) if before.is_empty() => {
                self.safe = self.safe.max(*number);
                self.next = None;
            }
            _ => {}
        }
        if writing.is_empty() {
            self.safe = self.safe.max(newest);
        } else if self.next.is_none() && newest > self.safe {
            self.next = Some((newest, writing.clone()));
        }
    }
}

impl Reader {
    /// What happened behind this place, or the place alone.
    pub async fn feed(&self, after: Option<u64>, limit: usize) -> Result<Feed, Error> {
        let Some(after) = after else { return self.place().await };
        let behind = i64::try_from(after).unwrap_or(i64::MAX);
        let begun = Instant::now();
        let mut nap = NAP;
        loop {
            let (newest, safe) = self.look_at_feed().await?;
            if safe > behind && limit > 0 {
                return self.read_feed((behind, safe), limit).await;
            }
            if newest <= behind || limit == 0 || begun.elapsed() >= PATIENCE {
                return Ok(Feed { events: Vec::new(), next: after });
            }
            sleep(nap).await;
            nap = (nap * 2).min(NAP_MAX);
        }
    }

    /// Where the feed stands: behind all that was to be seen when this was asked.
    async fn place(&self) -> Result<Feed, Error> {
        let begun = Instant::now();
        let (mut nap, mut wanted) = (NAP, None);
        loop {
            let (newest, safe) = self.look_at_feed().await?;
            if safe >= *wanted.get_or_insert(newest) {
                return Ok(Feed { events: Vec::new(), next: safe as u64 });
            }
            if begun.elapsed() >= PATIENCE_FOR_A_PLACE {
                let message = "a transaction that writes events does not end, so that nobody can \
                     tell where the feed stands";
                let name = self.options.name();
                return Err(Error::Unavailable { name, message: message.to_owned() });
            }
            sleep(nap).await;
            nap = (nap * 2).min(NAP_MAX);
        }
    }

    /// The newest number that is seen, and how far the feed may be read.
    async fn look_at_feed(&self) -> Result<(i64, i64), Error> {
        let rows = self.rows(LOOK, &[]).await?;
        let Some(row) = rows.first() else { return Ok((0, 0)) };
        let newest = row.get::<_, Option<i64>>(0).unwrap_or(0);
        let writing: HashSet<String> = row.get::<_, Vec<String>>(1).into_iter().collect();
        let mut horizon = self.horizon.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        horizon.see(newest, &writing);
        Ok((newest, horizon.safe))
    }

    async fn read_feed(&self, (behind, safe): (i64, i64), limit: usize) -> Result<Feed, Error> {
        let limit = limit.min(PAGE_MAX) as i64;
        let rows = self.rows(READ, &[&behind, &safe, &limit]).await?;
        // Where numbers were drawn for nothing, all that is left may be gaps.
        let is_full = rows.len() as i64 == limit;
        let last = rows.last().map(|row| row.get::<_, i64>(0)).filter(|_| is_full);
        let events = rows.iter().map(|row| self.told(row)).collect::<Result<_, _>>()?;
        Ok(Feed { events, next: last.unwrap_or(safe) as u64 })
    }

    fn told(&self, row: &Row) -> Result<(PipelineName, Event), Error> {
        let detail: Option<&str> = row.get(8);
        let detail = detail.map(serde_json::from_str).transpose();
        let event = Event {
            job_id: JobId::from(row.get::<_, &str>(2)),
            kind: self.nth(row.get(3), &EventKind::ALL, "kind of event")?,
            stage: StageId::from(row.get::<_, &str>(4)),
            visit: row.get::<_, i32>(5) as u32,
            attempt: row.get::<_, i32>(6) as u32,
            at: Timestamp(row.get(7)),
            detail: detail.map_err(|_| self.corrupt("detail of an event"))?,
        };
        Ok((PipelineName::from(row.get::<_, &str>(1)), event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writing(names: &[&str]) -> HashSet<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn feed_is_read_up_to_what_those_who_write_may_fill_in() {
        let mut horizon = Horizon::default();
        horizon.see(5, &writing(&[]));
        assert_eq!(horizon.safe, 5);
        horizon.see(9, &writing(&["a", "b"]));
        assert_eq!(horizon.safe, 5);
        // Somebody who began later does not keep anybody waiting for the earlier ones.
        horizon.see(12, &writing(&["b", "c"]));
        assert_eq!(horizon.safe, 5);
        horizon.see(14, &writing(&["c", "d"]));
        assert_eq!(horizon.safe, 9);
        horizon.see(20, &writing(&["d"]));
        assert_eq!(horizon.safe, 9);
        horizon.see(21, &writing(&["e"]));
        assert_eq!(horizon.safe, 14);
        horizon.see(21, &writing(&[]));
        assert_eq!(horizon.safe, 21);
    }
}
