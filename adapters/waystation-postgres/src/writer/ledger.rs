//! Projecting the journal: what is known of the jobs is looked up, what comes of the entries is
//! decided in core, and written here, a set at a time.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::parameter::Parameter;
use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::event::EventKind;
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::journal::Entry;
use waystation_core::port::{Error, Projected};
use waystation_core::projection::{self, Effect, Known, Place, Shadow};
use waystation_core::settlement::{Message, NewJob, Turn};
use waystation_core::state::JobState;
use waystation_core::statistics::count_told;

use super::arrivals::{Arrivals, Origin};
use super::batch::{Result, Writer};
use super::sets::{End, Move};
use super::tallies::Run;
use super::turns::key;
use crate::rows::{AWAITING, AWAY, state_number};

// Messages first and in the order of their numbers, as the courier's settlement takes them: where
// both meet, one waits for the other, not both. What is locked is read afterwards, since whoever
// was waited for may have put another message in its place.
const LOCK_MESSAGES: &str = "SELECT message_id FROM message WHERE job IN \
     (SELECT job_number FROM job WHERE job_id = ANY($1)) ORDER BY message_id FOR UPDATE";
// Who wants one of them aborted waits as well, so that no mark is missed.
const LOCK_JOBS: &str = "SELECT job_id, job_number, state, stage, parent, parent_visit, pipeline, \
     created_at FROM job WHERE job_id = ANY($1) ORDER BY job_number FOR UPDATE";
const MESSAGES: &str = "SELECT job, queue, rank, state, not_before, leased_at, told_at, abort, \
     body, key FROM message WHERE job = ANY($1)";
const EVENTS: &str = "SELECT job, stage, visit, attempt, kind FROM event WHERE job = ANY($1)";
const SEND_AWAY: &str = "UPDATE message SET state = 3, due = NULL, token = NULL, deliveries = 0, \
     not_before = NULL, leased_at = new.leased_at, told_at = new.told_at, turn = NULL \
     FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS new (job, leased_at, told_at) \
     WHERE message.job = new.job RETURNING queue, key";

/// What is there of a batch's jobs before it.
#[derive(Default)]
struct Found {
    /// Their numbers.
    numbers: HashMap<JobId, i64>,
    /// What is known of them.
    known: HashMap<JobId, Known>,
    /// Of which pipelines they are, and since when there.
    origins: HashMap<i64, (PipelineName, Timestamp)>,
    /// What made those that are children, and their states.
    children: HashMap<i64, (Run, JobState)>,
    /// Those that wait for children.
    awaiting: HashSet<i64>,
}

impl Writer {
    /// Applies entries in their order. Nothing is written where the batch is refused.
    pub(super) async fn project(
        &mut self,
        entries: &[Entry],
    ) -> Result<std::result::Result<Vec<Projected>, Error>> {
        let mut found = self.look_up(entries).await?;
        let known = std::mem::take(&mut found.known);
        let projection = match projection::project(entries, known) {
            Ok(projection) => projection,
            Err(error) => return Ok(Err(error)),
        };
        self.give_birth(&projection.effects, &mut found.numbers).await?;
        let effects = projection.effects.iter();
        let effects: Vec<(i64, &Effect)> =
            effects.filter_map(|one| Some((*found.numbers.get(&one.job_id)?, one))).collect();
        self.count_effects(&effects, &found);
        self.note_families(&effects, &found).await?;
        self.keep(&effects).await?;
        let arrivals = self.arrive(&effects, &found).await?;
        self.put(&effects, &arrivals).await?;
        self.insert_events(&arrivals.events).await?;
        let all = effects.iter();
        let log: Vec<_> =
            all.flat_map(|(job, one)| one.log.iter().map(|line| (*job, line))).collect();
        self.insert_log(&log).await?;
        Ok(Ok(projection.answers))
    }

    /// Those of the entries' jobs that exist.
    async fn look_up(&mut self, entries: &[Entry]) -> Result<Found> {
        let ids: BTreeSet<&str> = entries.iter().map(|entry| entry.job_id.as_str()).collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let mut there = Found::default();
        let mut jobs: HashMap<i64, (JobId, Known)> = HashMap::new();
        self.link.run(LOCK_MESSAGES, &[&ids]).await?;
        for row in self.link.rows(LOCK_JOBS, &[&ids]).await? {
            let (job_id, number) = (JobId::from(row.get::<_, String>(0)), row.get(1));
            let state = JobState::ALL.get(row.get::<_, i16>(2) as usize).copied();
            let known = Known {
                state: state.unwrap_or(JobState::Failed),
                stage: StageId::from(row.get::<_, String>(3)),
                shadow: None,
                events: HashSet::new(),
            };
            if let Some(run) = Run::read(&row, 4) {
                there.children.insert(number, (run, known.state));
            }
            let pipeline = PipelineName::from(row.get::<_, &str>(6));
            there.origins.insert(number, (pipeline, Timestamp(row.get(7))));
            there.numbers.insert(job_id.clone(), number);
            jobs.insert(number, (job_id, known));
        }
        let found: Vec<i64> = jobs.keys().copied().collect();
        if !found.is_empty() {
            for row in self.link.rows(MESSAGES, &[&found]).await? {
                if row.get::<_, i16>(3) == AWAITING {
                    there.awaiting.insert(row.get(0));
                }
                if let Some((_, known)) = jobs.get_mut(&row.get(0)) {
                    known.shadow = Some(shadow(&row, &known.stage));
                }
            }
            for row in self.link.rows(EVENTS, &[&found]).await? {
                let kind = EventKind::ALL.get(row.get::<_, i16>(4) as usize);
                if let (Some((_, known)), Some(kind)) = (jobs.get_mut(&row.get(0)), kind) {
                    let stage = StageId::from(row.get::<_, &str>(1));
                    let (visit, attempt): (i32, i32) = (row.get(2), row.get(3));
                    known.events.insert((stage, visit as u32, attempt as u32, *kind));
                }
            }
        }
        there.known = jobs.into_values().collect();
        Ok(there)
    }

    /// Makes jobs known, in this order. One that somebody else makes known at the same moment
    /// has the transaction run again.
    async fn give_birth(
        &mut self,
        effects: &[Effect],
        numbers: &mut HashMap<JobId, i64>,
    ) -> Result<()> {
        let born = || effects.iter().filter_map(|one| Some((one, one.birth.as_ref()?)));
        let ids: Vec<&str> = born().map(|(one, _)| one.job_id.as_str()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let pipelines: Vec<&str> = born().map(|(_, birth)| birth.pipeline.as_str()).collect();
        let versions: Vec<i32> = born().map(|(_, birth)| birth.pipeline_version as i32).collect();
        let moments: Vec<i64> = born().map(|(_, birth)| birth.at.0).collect();
        // Its state and stage follow with its place.
        let sql = "INSERT INTO job (job_id, pipeline, pipeline_version, state, stage, created_at, \
             updated_at) SELECT id, pipeline, version, $5, '', at, $6 \
             FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[]) \
             WITH ORDINALITY AS new (id, pipeline, version, at, place) ORDER BY place \
             RETURNING job_id, job_number";
        let queued = state_number(JobState::Queued);
        let parameters: [&(dyn Parameter + Sync); 6] =
            [&ids, &pipelines, &versions, &moments, &queued, &self.now.0];
        let rows = self.link.rows(sql, &parameters).await?;
        numbers.extend(
            rows.iter().map(|row| (JobId::from(row.get::<_, String>(0)), row.get::<_, i64>(1))),
        );
        Ok(())
    }

    /// Counts what the journal told, and the jobs that ended.
    fn count_effects(&mut self, effects: &[(i64, &Effect)], found: &Found) {
        for (job, effect) in effects {
            let (pipeline, created_at) = match (&effect.birth, found.origins.get(job)) {
                (Some(birth), _) => (&birth.pipeline, birth.at),
                (None, Some((pipeline, created_at))) => (pipeline, *created_at),
                (None, None) => continue,
            };
            count_told(&mut self.sums, pipeline, &effect.events, effect.ran_since);
            if let Some((state, stage)) = effect.end() {
                self.count_ended(pipeline, stage, state, Some(created_at));
            }
        }
    }

    /// Notes which children ended or did not, and which jobs wait for children no more.
    async fn note_families(&mut self, effects: &[(i64, &Effect)], found: &Found) -> Result<()> {
        let mut gone = Vec::new();
        for (job, effect) in effects {
            if let (Some((run, before)), Some((after, _))) =
                (found.children.get(job), &effect.moved)
            {
                self.tallies.note(run, *before, *after);
            }
            if effect.place.is_some() && found.awaiting.contains(job) {
                gone.push(effect.job_id.as_str());
            }
        }
        self.forget_waiting(&gone).await
    }

    /// Creates the children that the jobs made. Gives what comes here, with what happened.
    async fn arrive<'a>(
        &mut self,
        effects: &[(i64, &'a Effect)],
        found: &Found,
    ) -> Result<Arrivals<'a>> {
        let children: Vec<&NewJob> =
            effects.iter().flat_map(|(_, effect)| &effect.children).collect();
        let mut numbers = self.bear(&children).await?.into_iter();
        let mut arrivals = Arrivals::default();
        for (job, effect) in effects {
            match &effect.place {
                Some(Place::Held(message, quorum)) => {
                    let made_by = found.children.get(job).map(|(run, _)| run);
                    let born = effect.birth.as_ref().map(|birth| birth.at);
                    let known = found.origins.get(job).map(|(_, created_at)| *created_at);
                    let origin = Origin { made_by, created_at: born.or(known), line: None };
                    arrivals.hold(*job, message, *quorum, origin);
                }
                Some(Place::Inbox(task)) => arrivals.tasks.push((*job, task)),
                _ => {}
            }
            arrivals.events.extend(effect.events.iter().map(|event| (*job, event)));
            arrivals.begin_children(&effect.children, &mut numbers, self.now);
        }
        Ok(arrivals)
    }

    /// Takes messages that stay as they are out of everybody's reach, also the courier's who
    /// still has one.
    async fn keep(&mut self, effects: &[(i64, &Effect)]) -> Result<()> {
        let (mut jobs, mut starts, mut told) = (Vec::new(), Vec::new(), Vec::new());
        for (job, effect) in effects {
            if let Some(Place::Kept { running_since, told_at }) = &effect.place {
                jobs.push(*job);
                starts.push(running_since.map(|moment| moment.0));
                told.push(told_at.map(|moment| moment.0));
            }
        }
        if jobs.is_empty() {
            return Ok(());
        }
        let rows = self.link.rows(SEND_AWAY, &[&jobs, &starts, &told]).await?;
        self.touched.note_rows(&rows, 0);
        Ok(())
    }

    /// Puts jobs where they are from now on, with their states and stages.
    async fn put(&mut self, effects: &[(i64, &Effect)], arrivals: &Arrivals<'_>) -> Result<()> {
        let (mut gone, mut shadows) = (Vec::new(), Vec::new());
        let (mut moves, mut ends) = (Vec::new(), Vec::new());
        for (job, effect) in effects {
            let (job, Some((state, stage))) = (*job, &effect.moved) else { continue };
            let (state, stage) = (*state, stage.as_str());
            let onward = Move { job, state, stage };
            match &effect.place {
                None => continue,
                Some(Place::Kept { .. }) => {
                    moves.push(onward);
                    continue;
                }
                Some(Place::Away(shadow)) => {
                    shadows.push((job, shadow));
                    moves.push(onward);
                }
                Some(Place::Held(..) | Place::Inbox(_)) => moves.push(onward),
                Some(Place::End { body, failure }) => {
                    ends.push(End { job, state, stage, failure: failure.as_ref(), body });
                }
            }
            if effect.birth.is_none() {
                gone.push(job);
            }
        }
        if !gone.is_empty() {
            let sql = "DELETE FROM message WHERE job = ANY($1) RETURNING queue, key";
            let rows = self.link.rows(sql, &[&gone]).await?;
            self.touched.note_rows(&rows, 0);
        }
        self.insert_shadows(&shadows).await?;
        self.insert_arrivals(arrivals).await?;
        self.move_jobs(&moves).await?;
        self.end_jobs(&ends).await?;
        self.insert_letters(&ends).await
    }
}

fn shadow(row: &Row, stage: &StageId) -> Shadow {
    let moment = |column: usize| row.get::<_, Option<i64>>(column).map(Timestamp);
    // What the courier has under a lease is not known to run.
    let away = row.get::<_, i16>(3) == AWAY;
    Shadow {
        message: Message {
            queue: row.get::<_, String>(1).into(),
            stage: stage.clone(),
            priority: row.get::<_, i16>(2).saturating_neg(),
            not_before: moment(4),
            turn: row.get::<_, Option<&str>>(9).and_then(key).map(Turn::last),
            body: row.get(8),
        },
        running_since: moment(5).filter(|_| away),
        told_at: moment(6),
        abort: row.get(7),
    }
}
