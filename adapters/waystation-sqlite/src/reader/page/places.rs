//! Where jobs of some kind can be, without a look at all of them.

use std::collections::{BinaryHeap, VecDeque};

use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use waystation_core::job::Family;
use waystation_core::state::JobState;

use super::Span;
use super::sieve::Sieve;
use crate::reader::job_number;

/// With more jobs than these in the queues and the inbox, they are no place to look for some.
const LIVE_MAX: usize = 10_000;
/// With more kinds of ends than these, all jobs are looked at instead.
const RANGES_MAX: usize = 256;
/// How many numbers are taken out of a range at a time: the first time, and at most.
const TAKEN_FIRST: usize = 16;
const TAKEN_MAX: usize = 1_000;

/// Jobs of one pipeline that ended in one state at one stage.
#[derive(Clone, Copy)]
struct Ended {
    pipeline: i64,
    state: i64,
    stage: i64,
}

/// Numbers of jobs, newest first.
struct Place {
    numbers: VecDeque<i64>,
    /// Where more of them come from.
    source: Option<Ended>,
    /// How many are taken the next time.
    taken: usize,
    span: Span,
}

/// Places whose jobs are taken together, newest first.
pub struct Places {
    places: Vec<Place>,
    /// The newest number of each place that has any left, and which place it is.
    newest: BinaryHeap<(i64, usize)>,
}

impl Places {
    /// The children of a job, if such are asked for.
    pub fn of_children(
        connection: &Connection,
        family: &Family,
        span: Span,
    ) -> rusqlite::Result<Option<Self>> {
        let Family::ChildrenOf(parent) = family else { return Ok(None) };
        let Some(parent) = job_number(connection, parent.as_str())? else {
            return Self::new(connection, Vec::new()).map(Some);
        };
        let numbers = connection
            .prepare_cached(
                "SELECT job_number FROM job WHERE parent = ?1 AND job_number < ?2 \
                 AND job_number >= ?3 ORDER BY job_number DESC",
            )?
            .query_map(params![parent, span.below, span.from], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        Self::new(connection, vec![Place::of(numbers, span)]).map(Some)
    }

    /// Where the jobs are that the sieve lets through. `None` where that is nearly everywhere.
    pub fn of(
        connection: &Connection,
        sieve: &Sieve,
        span: Span,
    ) -> rusqlite::Result<Option<Self>> {
        if sieve.pipeline.is_none() && sieve.stage.is_none() && sieve.states.is_empty() {
            return Ok(None);
        }
        let mut places = Vec::new();
        if sieve.states.is_empty() || sieve.states.iter().any(|state| !state.is_terminal()) {
            let Some(numbers) = live(connection, span)? else { return Ok(None) };
            places.push(Place::of(numbers, span));
        }
        if sieve.states.is_empty() || sieve.states.iter().any(|state| state.is_terminal()) {
            let Some(ranges) = ended(connection, sieve)? else { return Ok(None) };
            places.extend(ranges.into_iter().map(|range| Place::ended(range, span)));
        }
        Self::new(connection, places).map(Some)
    }

    fn new(connection: &Connection, places: Vec<Place>) -> rusqlite::Result<Self> {
        let mut all = Self { places, newest: BinaryHeap::new() };
        for index in 0..all.places.len() {
            all.refill(connection, index)?;
        }
        Ok(all)
    }

    /// The next job of all places.
    pub fn next(&mut self, connection: &Connection) -> rusqlite::Result<Option<i64>> {
        let Some((number, index)) = self.newest.pop() else { return Ok(None) };
        self.refill(connection, index)?;
        Ok(Some(number))
    }

    fn refill(&mut self, connection: &Connection, index: usize) -> rusqlite::Result<()> {
        let place = &mut self.places[index];
        if place.numbers.is_empty() {
            place.take_more(connection)?;
        }
        self.newest.extend(place.numbers.pop_front().map(|number| (number, index)));
        Ok(())
    }
}

impl Place {
    fn of(numbers: VecDeque<i64>, span: Span) -> Self {
        Self { numbers, source: None, taken: 0, span }
    }

    fn ended(range: Ended, span: Span) -> Self {
        Self { numbers: VecDeque::new(), source: Some(range), taken: TAKEN_FIRST, span }
    }

    fn take_more(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let Some(Ended { pipeline, state, stage }) = self.source else { return Ok(()) };
        let Span { from, below } = self.span;
        // The index has the number behind its columns.
        self.numbers = connection
            .prepare_cached(
                "SELECT job_number FROM job INDEXED BY job_ended \
                 WHERE pipeline = ?1 AND state = ?2 AND stage = ?3 AND state >= 6 \
                 AND job_number < ?4 AND job_number >= ?5 ORDER BY job_number DESC LIMIT ?6",
            )?
            .query_map(params![pipeline, state, stage, below, from, self.taken], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        match self.numbers.back() {
            Some(last) if self.numbers.len() == self.taken => self.span.below = *last,
            _ => self.source = None,
        }
        self.taken = (self.taken * 4).min(TAKEN_MAX);
        Ok(())
    }
}

/// The jobs in the queues and in the inbox, newest first, unless there are many.
fn live(connection: &Connection, span: Span) -> rusqlite::Result<Option<VecDeque<i64>>> {
    let mut numbers: Vec<i64> = Vec::new();
    for sql in ["SELECT job FROM message LIMIT ?1", "SELECT job FROM task LIMIT ?1"] {
        let mut select = connection.prepare_cached(sql)?;
        let rows = select.query_map([LIVE_MAX + 1], |row| row.get(0))?;
        for number in rows {
            numbers.push(number?);
        }
    }
    if numbers.len() > LIVE_MAX {
        return Ok(None);
    }
    numbers.retain(|number| (span.from..span.below).contains(number));
    numbers.sort_unstable_by_key(|number| std::cmp::Reverse(*number));
    numbers.dedup();
    Ok(Some(numbers.into()))
}

/// The ways in which jobs ended that the sieve may let through, unless there are many: found step
/// by step, each by one look into the index.
fn ended(connection: &Connection, sieve: &Sieve) -> rusqlite::Result<Option<Vec<Ended>>> {
    let is_wanted = |state: &JobState| sieve.states.is_empty() || sieve.states.contains(state);
    let all = JobState::ALL.iter().enumerate();
    let terminal = all.filter(|(_, state)| state.is_terminal() && is_wanted(state));
    let states: Vec<i64> = terminal.map(|(number, _)| number as i64).collect();
    let mut ranges = Vec::new();
    let mut last = sieve.pipeline.map_or(i64::MIN, |wanted| wanted - 1);
    let next = "SELECT pipeline FROM job INDEXED BY job_ended \
         WHERE pipeline > ?1 AND state >= 6 ORDER BY pipeline LIMIT 1";
    while let Some(pipeline) = one(connection, next, &[last])? {
        if sieve.pipeline.is_some_and(|wanted| wanted != pipeline) {
            break;
        }
        for state in &states {
            add_stages(connection, sieve.stage, (pipeline, *state), &mut ranges)?;
            if ranges.len() > RANGES_MAX {
                return Ok(None);
            }
        }
        last = pipeline;
    }
    Ok(Some(ranges))
}

/// Adds the stages at which jobs of a pipeline ended in a state, or the one that is wanted.
fn add_stages(
    connection: &Connection,
    wanted: Option<i64>,
    (pipeline, state): (i64, i64),
    ranges: &mut Vec<Ended>,
) -> rusqlite::Result<()> {
    let mut last = wanted.map_or(i64::MIN, |wanted| wanted - 1);
    let next = "SELECT stage FROM job INDEXED BY job_ended \
         WHERE pipeline = ?1 AND state = ?2 AND state >= 6 AND stage > ?3 ORDER BY stage LIMIT 1";
    while let Some(stage) = one(connection, next, &[pipeline, state, last])?
        && wanted.is_none_or(|wanted| wanted == stage)
        && ranges.len() <= RANGES_MAX
    {
        ranges.push(Ended { pipeline, state, stage });
        last = stage;
    }
    Ok(())
}

/// The one number that a statement gives, if it gives any.
fn one(connection: &Connection, sql: &str, values: &[i64]) -> rusqlite::Result<Option<i64>> {
    let mut select = connection.prepare_cached(sql)?;
    select.query_row(params_from_iter(values), |row| row.get(0)).optional()
}
