//! Pages of jobs, newest first, at a bounded cost however many jobs there are.
//!
//! The newest jobs are simply looked at: mostly they are what is wanted. Where they are not, and
//! the filter names a pipeline, a stage or states, the search goes on in the places where such jobs
//! can be: those that live in the queues and the inbox, when these are small, and those that have
//! ended in the ranges of the index that holds nothing else, all merged by age. Where neither
//! helps, all jobs are looked at, so many for one page.

mod places;
mod sieve;
mod time;

use rusqlite::{Connection, OptionalExtension};
use waystation_core::clock::Timestamp;
use waystation_core::id::JobId;
use waystation_core::job::{JobFilter, JobPage, LOOKED_AT_MAX, PAGE_MAX};

use super::job_number;
use super::jobs::numbered;
use places::Places;
use sieve::{Sieve, columns};

/// How many of the newest jobs are looked at before it is asked where others might be.
const NEWEST: usize = 1_000;

/// The jobs that may be on a page, by their numbers.
#[derive(Clone, Copy)]
pub struct Span {
    /// The first one.
    pub from: i64,
    /// Behind the last one.
    pub below: i64,
}

/// What was found so far.
struct Search<'a> {
    connection: &'a Connection,
    sieve: &'a Sieve,
    /// One more than are asked for: it tells that there are more.
    wanted: usize,
    found: Vec<i64>,
    looked_at: usize,
    /// The last one that was looked at.
    last: Option<i64>,
}

/// How a search came to an end.
#[derive(PartialEq)]
enum End {
    /// There is nothing more.
    Exhausted,
    /// It found what was wanted, or looked at enough.
    Enough,
}

/// A page of jobs.
pub fn jobs(
    connection: &Connection,
    filter: &JobFilter,
    now: Timestamp,
) -> rusqlite::Result<JobPage> {
    // One snapshot: no job moves from one place that is looked at to another meanwhile.
    let snapshot = connection.unchecked_transaction()?;
    let limit = filter.limit.min(PAGE_MAX);
    let (Some(sieve), Some(span)) = (Sieve::new(&snapshot, filter, now)?, span(&snapshot, filter)?)
    else {
        return Ok(JobPage::default());
    };
    if limit == 0 {
        return Ok(JobPage::default());
    }
    let mut search = Search {
        connection: &snapshot,
        sieve: &sieve,
        wanted: limit + 1,
        found: Vec::new(),
        looked_at: 0,
        last: None,
    };
    let end = search.run(filter, span)?;
    search.page(limit, &end, now)
}

impl Search<'_> {
    fn run(&mut self, filter: &JobFilter, mut span: Span) -> rusqlite::Result<End> {
        if let Some(children) = Places::of_children(self.connection, &filter.family, span)? {
            return self.look_in(children, LOOKED_AT_MAX);
        }
        if self.look_at_all(span, NEWEST)? == End::Exhausted {
            return Ok(End::Exhausted);
        }
        if self.found.len() == self.wanted {
            return Ok(End::Enough);
        }
        span.below = self.last.unwrap_or(span.below);
        match Places::of(self.connection, self.sieve, span)? {
            Some(places) => self.look_in(places, LOOKED_AT_MAX),
            None => self.look_at_all(span, LOOKED_AT_MAX),
        }
    }

    /// Looks at all jobs of the span, up to so many of the whole search.
    fn look_at_all(&mut self, span: Span, looked_at_max: usize) -> rusqlite::Result<End> {
        let sql = format!(
            "{} WHERE job.job_number < ?2 AND job.job_number >= ?3 ORDER BY job.job_number DESC",
            columns(self.sieve)
        );
        let mut select = self.connection.prepare_cached(&sql)?;
        let mut rows = select.query([self.sieve.now.0, span.below, span.from])?;
        while self.goes_on(looked_at_max) {
            let Some(row) = rows.next()? else { return Ok(End::Exhausted) };
            self.note(row.get(0)?, self.sieve.lets_through(row)?);
        }
        Ok(End::Enough)
    }

    /// Looks at the jobs of these places, up to so many of the whole search.
    fn look_in(&mut self, mut places: Places, looked_at_max: usize) -> rusqlite::Result<End> {
        let sql = format!("{} WHERE job.job_number = ?2", columns(self.sieve));
        let mut select = self.connection.prepare_cached(&sql)?;
        while self.goes_on(looked_at_max) {
            let Some(number) = places.next(self.connection)? else { return Ok(End::Exhausted) };
            let fits = select
                .query_row([self.sieve.now.0, number], |row| self.sieve.lets_through(row))
                .optional()?;
            self.note(number, fits == Some(true));
        }
        Ok(End::Enough)
    }

    fn goes_on(&self, looked_at_max: usize) -> bool {
        self.found.len() < self.wanted && self.looked_at < looked_at_max
    }

    fn note(&mut self, number: i64, fits: bool) {
        self.looked_at += 1;
        self.last = Some(number);
        if fits {
            self.found.push(number);
        }
    }

    fn page(mut self, limit: usize, end: &End, now: Timestamp) -> rusqlite::Result<JobPage> {
        let more = self.found.len() > limit;
        self.found.truncate(limit);
        let next = match end {
            End::Exhausted => None,
            End::Enough if more => self.found.last().copied(),
            End::Enough => self.last,
        };
        let jobs = self.found.iter().map(|number| numbered(self.connection, *number, now));
        Ok(JobPage {
            jobs: jobs.collect::<rusqlite::Result<_>>()?,
            next: next.map(|number| job_id(self.connection, number)).transpose()?,
        })
    }
}

/// Which jobs may be on the page, by their numbers. `None` where nothing is older than an unknown
/// job.
fn span(connection: &Connection, filter: &JobFilter) -> rusqlite::Result<Option<Span>> {
    let mut span = Span { from: 0, below: i64::MAX };
    if let Some(job_id) = &filter.before {
        let Some(number) = job_number(connection, job_id.as_str())? else { return Ok(None) };
        span.below = number;
    }
    if let Some(moment) = filter.created_before {
        span.below = span.below.min(time::place(connection, moment)?.latest);
    }
    if let Some(moment) = filter.created_from {
        span.from = time::place(connection, moment)?.earliest;
    }
    Ok(Some(span))
}

fn job_id(connection: &Connection, number: i64) -> rusqlite::Result<JobId> {
    connection
        .prepare_cached("SELECT job_id FROM job WHERE job_number = ?1")?
        .query_row([number], |row| row.get::<_, String>(0).map(JobId::from))
}
