//! Settlements: a batch ends in one statement a kind, fenced by what each ends.

use std::collections::{HashMap, HashSet};

use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::id::QueueName;
use waystation_core::settlement::{Ended, NewJob, Next, Settled, Settlement};
use waystation_core::state::JobState;
use waystation_core::statistics::count_settlement;

use super::arrivals::{Arrivals, Origin};
use super::batch::{Result, Writer};
use super::in_turn::Standing;
use super::sets::{End, Move};
use super::tallies::Run;
use crate::rows::failure_text;

/// What was there to be ended.
pub(super) struct Held {
    job: i64,
    /// Why somebody wants the job aborted.
    pub abort: Option<String>,
    body: Vec<u8>,
    /// What made the job, if it is a child.
    made_by: Option<Run>,
    /// When it came into its queue or into the inbox.
    since: Option<Timestamp>,
    /// When the job was submitted.
    created_at: Option<Timestamp>,
    /// The queue that it was in and its key, where it had one.
    pub line: Option<(String, String)>,
}

/// A settlement that holds.
struct Applied<'a> {
    held: &'a Held,
    settlement: &'a Settlement,
}

// The fourth column tells how each stands in its line: see [`Standing`].
const END_DELIVERIES: &str = "DELETE FROM message USING \
     unnest($1::bigint[], $2::bigint[], $3::smallint[]) AS ended (id, token, standing) \
     WHERE message_id = ended.id AND message.token = ended.token \
     AND (message.state = 6) = (standing > 0) \
     RETURNING message_id, ended.token, job, abort, NULL::bytea, parent, parent_visit, \
     enqueued_at, created_at, queue, key";
// What is behind was not counted. What somebody wants aborted is never at the head again.
const HAND_BACK: &str = "UPDATE message SET \
     state = CASE WHEN standing = 2 OR abort IS NOT NULL AND key IS NOT NULL THEN 5 ELSE 0 END, \
     due = NULL, token = NULL, deliveries = deliveries - CASE standing WHEN 0 THEN 1 ELSE 0 END \
     FROM unnest($1::bigint[], $2::bigint[], $3::smallint[]) AS ended (id, token, standing) \
     WHERE message_id = ended.id AND message.token = ended.token \
     AND (message.state = 6) = (standing > 0) \
     RETURNING message_id, ended.token, job, abort, body, parent, parent_visit, enqueued_at, \
     created_at, queue, key";
// Handing over is no delivery to a worker: those are the broker's to count.
const HAND_OVER: &str = "UPDATE message SET state = 3, due = NULL, token = NULL, \
     leased_at = NULL, deliveries = 0, turn = NULL \
     FROM unnest($1::bigint[], $2::bigint[], $3::smallint[]) AS ended (id, token, standing) \
     WHERE message_id = ended.id AND message.token = ended.token \
     AND (message.state = 6) = (standing > 0) \
     RETURNING message_id, ended.token, job, abort, NULL::bytea, parent, parent_visit, \
     enqueued_at, created_at, queue, key";
// Of these there are few: only the job tells whose child it is.
const END_TASKS: &str = "DELETE FROM task USING job \
     WHERE task_id = ANY($1) AND job_number = task.job \
     RETURNING task_id, 0::bigint, job_number, NULL::text, NULL::bytea, parent, parent_visit, \
     task.created_at, job.created_at, NULL::text, NULL::text";
const END_LETTERS: &str = "DELETE FROM dead_letter USING job \
     WHERE dead_letter_id = ANY($1) AND job_number = dead_letter.job \
     RETURNING dead_letter_id, 0::bigint, job_number, NULL::text, NULL::bytea, parent, \
     parent_visit, NULL::bigint, job.created_at, NULL::text, NULL::text";

/// The first so many kinds of ends are ends of deliveries.
const DELIVERIES: usize = 3;

impl Writer {
    /// Applies settlements, each whole or not at all.
    pub(super) async fn settle_all(&mut self, settlements: &[&Settlement]) -> Result<Vec<Settled>> {
        let mut held = self.end_all(settlements).await?;
        let mut answers = vec![Settled::Lost; settlements.len()];
        let mut overruled: Vec<Option<Settlement>> = vec![None; settlements.len()];
        for (place, settlement) in settlements.iter().enumerate() {
            let Some(held) = held[place].as_mut() else { continue };
            answers[place] = Settled::Applied;
            let yields = settlement.yields_to_abort();
            let Some(reason) = held.abort.take().filter(|_| yields) else { continue };
            answers[place] = Settled::Aborted;
            let body = std::mem::take(&mut held.body);
            let aborted = Settlement::clone(settlement).overruled_by_abort(&reason, self.now, body);
            overruled[place] = Some(aborted);
        }
        let applied: Vec<Applied<'_>> = settlements
            .iter()
            .zip(&overruled)
            .zip(&held)
            .filter_map(|((settlement, aborted), held)| {
                let (held, settlement) = (held.as_ref()?, aborted.as_ref().unwrap_or(settlement));
                Some(Applied { held, settlement })
            })
            .collect();
        self.apply(&applied).await?;
        Ok(answers)
    }

    /// Takes away what the settlements end, where it is still there to be ended.
    async fn end_all(&mut self, settlements: &[&Settlement]) -> Result<Vec<Option<Held>>> {
        let mut ends: [Kind; 5] = Default::default();
        let mut deliveries = HashSet::new();
        for (place, settlement) in settlements.iter().enumerate() {
            let (kind, id, token) = kind_of(settlement);
            // Of two that end the same delivery, in whatever way, the first one counts.
            if kind < DELIVERIES && !deliveries.insert((id, token)) {
                continue;
            }
            ends[kind].add(id, token, place, Standing::First);
        }
        let mut held: Vec<Option<Held>> = settlements.iter().map(|_| None).collect();
        self.end_kinds(&ends, &mut held).await?;
        self.drop_aborted(settlements, &held).await?;
        let ended = settlements.iter().copied().zip(held.iter().map(Option::as_ref));
        let ends = self.in_turn(&ended.collect::<Vec<_>>()).await?;
        if !ends.is_empty() {
            let mut kinds: [Kind; 5] = Default::default();
            for (place, standing) in ends {
                let (kind, id, token) = kind_of(settlements[place]);
                kinds[kind].add(id, token, place, standing);
            }
            self.end_kinds(&kinds, &mut held).await?;
            self.drop_aborted(settlements, &held).await?;
        }
        Ok(held)
    }

    async fn end_kinds(&mut self, ends: &[Kind; 5], held: &mut [Option<Held>]) -> Result<()> {
        let statements = [END_DELIVERIES, HAND_BACK, HAND_OVER, END_TASKS, END_LETTERS];
        for (kind, (ends, sql)) in ends.iter().zip(statements).enumerate() {
            if ends.ids.is_empty() {
                continue;
            }
            let rows = if kind < DELIVERIES {
                self.link.rows(sql, &[&ends.ids, &ends.tokens, &ends.standings]).await?
            } else {
                self.link.rows(sql, &[&ends.ids]).await?
            };
            for row in rows {
                if let Some(place) = ends.places.get(&(row.get(0), row.get(1))) {
                    let held = held[*place].insert(Held::read(&row));
                    if let Some((queue, key)) = &held.line {
                        self.touched.note(queue, Some(key));
                    }
                }
            }
        }
        Ok(())
    }

    /// An aborted job does not come back to its queue, also when it was handed back.
    async fn drop_aborted(
        &mut self,
        settlements: &[&Settlement],
        held: &[Option<Held>],
    ) -> Result<()> {
        let marked = settlements.iter().zip(held).filter(|(settlement, held)| {
            let is_marked = held.as_ref().is_some_and(|held| held.abort.is_some());
            is_marked && settlement.next == Next::HandBack
        });
        let gone: Vec<i64> = marked
            .filter_map(|(settlement, _)| match &settlement.ended {
                Ended::Delivery(lease) => Some(lease.delivery_id),
                Ended::Task(_) | Ended::DeadLetter(_) => None,
            })
            .collect();
        if !gone.is_empty() {
            self.link.send("DELETE FROM message WHERE message_id = ANY($1)", &[&gone]).await?;
        }
        Ok(())
    }

    async fn apply(&mut self, settlements: &[Applied<'_>]) -> Result<()> {
        self.count_all(settlements);
        let mut numbers = self.bear_all(settlements).await?.into_iter();
        let mut arrivals = Arrivals::default();
        let mut moves = Vec::new();
        let mut ends = Vec::new();
        let mut revived = Vec::new();
        let mut filled: Vec<QueueName> = Vec::new();
        for Applied { held, settlement } in settlements {
            let (job, stage) = (held.job, settlement.stage.as_str());
            let onward = Move { job, state: settlement.state, stage };
            match &settlement.next {
                Next::Enqueue(message) => {
                    arrivals.enqueue(job, message, held.origin());
                    moves.push(onward);
                }
                Next::Await(message, quorum) => {
                    arrivals.hold(job, message, *quorum, held.origin());
                    moves.push(onward);
                }
                Next::Park(task) => {
                    arrivals.tasks.push((job, task));
                    moves.push(onward);
                }
                Next::HandBack => {
                    if let Ended::Delivery(lease) = &settlement.ended {
                        filled.push(lease.queue.clone());
                    }
                    moves.push(onward);
                }
                Next::End { body, failure } => {
                    let (state, failure) = (settlement.state, failure.as_ref());
                    ends.push(End { job, state, stage, failure, body });
                }
                Next::HandOver => moves.push(onward),
                Next::Drop => {}
            }
            if settlement.next != Next::Drop && matches!(settlement.ended, Ended::DeadLetter(_)) {
                revived.push(job);
            }
            arrivals.events.extend(settlement.events.iter().map(|event| (job, event)));
            arrivals.begin_children(&settlement.children, &mut numbers, self.now);
        }
        if !revived.is_empty() {
            let sql = "UPDATE job SET failure = NULL, body = NULL WHERE job_number = ANY($1)";
            self.link.send(sql, &[&revived]).await?;
        }
        self.insert_arrivals(&arrivals).await?;
        self.move_jobs(&moves).await?;
        self.end_jobs(&ends).await?;
        self.insert_letters(&ends).await?;
        for queue in filled {
            self.note_filled(&queue);
        }
        self.insert_events(&arrivals.events).await?;
        let all = settlements.iter();
        let log = all.flat_map(|one| one.settlement.log.iter().map(|line| (one.held.job, line)));
        let log: Vec<_> = log.collect();
        self.insert_log(&log).await
    }

    /// Counts what the settlements tell, and the jobs that they end.
    fn count_all(&mut self, settlements: &[Applied<'_>]) {
        for Applied { held, settlement } in settlements {
            count_settlement(&mut self.sums, settlement, held.since);
            if matches!(settlement.next, Next::End { .. }) {
                let Settlement { pipeline, stage, state, .. } = settlement;
                self.count_ended(pipeline, stage, *state, held.created_at);
            }
        }
    }

    /// Creates the children that the settlements make, and notes which settlements end children.
    async fn bear_all(&mut self, settlements: &[Applied<'_>]) -> Result<Vec<Option<i64>>> {
        for Applied { held, settlement } in settlements {
            let Some(run) = &held.made_by else { continue };
            match settlement.ended {
                _ if settlement.next == Next::Drop => {}
                Ended::DeadLetter(_) => {
                    self.tallies.note(run, JobState::Failed, settlement.state);
                }
                Ended::Delivery(_) | Ended::Task(_) => self.tallies.note_end(run, settlement.state),
            }
        }
        let children: Vec<&NewJob> =
            settlements.iter().flat_map(|one| &one.settlement.children).collect();
        self.bear(&children).await
    }

    /// Failed jobs lie with the dead letters.
    pub(super) async fn insert_letters(&mut self, ends: &[End<'_>]) -> Result<()> {
        for end in ends.iter().filter(|end| end.state == JobState::Failed) {
            let Some(failure) = end.failure else { continue };
            let sql = "INSERT INTO dead_letter (job, pipeline, stage, failure, at, body) \
                 SELECT $1, pipeline, $2, $3, $4, $5 FROM job WHERE job_number = $1";
            let text = failure_text(failure);
            self.link.send(sql, &[&end.job, &end.stage, &text, &self.now.0, &end.body]).await?;
        }
        Ok(())
    }
}

/// What settlements of one kind end, and whose settlement each is.
#[derive(Default)]
struct Kind {
    ids: Vec<i64>,
    tokens: Vec<i64>,
    standings: Vec<i16>,
    places: HashMap<(i64, i64), usize>,
}

impl Kind {
    /// A second settlement of the same thing in one batch is lost.
    fn add(&mut self, id: i64, token: i64, place: usize, standing: Standing) {
        if let std::collections::hash_map::Entry::Vacant(entry) = self.places.entry((id, token)) {
            entry.insert(place);
            self.ids.push(id);
            self.tokens.push(token);
            self.standings.push(standing as i16);
        }
    }
}

/// What kind of end a settlement is, and what it ends.
fn kind_of(settlement: &Settlement) -> (usize, i64, i64) {
    match (&settlement.ended, &settlement.next) {
        (Ended::Delivery(lease), Next::HandBack) => (1, lease.delivery_id, lease.token as i64),
        (Ended::Delivery(lease), Next::HandOver) => (2, lease.delivery_id, lease.token as i64),
        (Ended::Delivery(lease), _) => (0, lease.delivery_id, lease.token as i64),
        (Ended::Task(id), _) => (3, *id, 0),
        (Ended::DeadLetter(id), _) => (4, *id, 0),
    }
}

impl Held {
    fn origin(&self) -> Origin<'_> {
        let line = self.line.as_ref().map(|(queue, key)| (queue.as_str(), key.as_str()));
        Origin { made_by: self.made_by.as_ref(), created_at: self.created_at, line }
    }

    fn read(row: &Row) -> Self {
        let body: Option<Vec<u8>> = row.get(4);
        let moment = |column: usize| row.get::<_, Option<i64>>(column).map(Timestamp);
        Self {
            job: row.get(2),
            abort: row.get(3),
            body: body.unwrap_or_default(),
            made_by: Run::read(row, 5),
            since: moment(7),
            created_at: moment(8),
            line: row.get::<_, Option<String>>(9).zip(row.get(10)),
        }
    }
}
