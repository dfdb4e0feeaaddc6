//! Pages of jobs, newest first, at a bounded cost however many jobs there are.
//!
//! The newest jobs are simply looked at: mostly they are what is wanted. Where they are not, the
//! search goes on in the places where the wanted ones can be: those that live in the queues and the
//! inbox, when these are small; those that ended otherwise than well by an index of their own; and
//! those of a pipeline that ended, when they are few. Where none of it helps, all jobs are looked
//! at, so many for one page.

mod place;
mod sieve;
mod time;

use waystation_core::clock::Timestamp;
use waystation_core::id::JobId;
use waystation_core::job::{Family, JobFilter, JobPage, JobRecord, LOOKED_AT_MAX, PAGE_MAX};
use waystation_core::port::Error;

use super::Reader;
use place::Place;
use sieve::Sieve;

/// How many of the newest jobs are looked at before it is asked where others might be.
const NEWEST: i64 = 1_000;

/// The jobs that may be on a page, by their numbers.
#[derive(Clone, Copy)]
struct Span {
    /// The first one.
    from: i64,
    /// Behind the last one.
    below: i64,
    /// So many of a place are looked at.
    most: i64,
}

/// What a look at some places found.
#[derive(Default)]
struct Looked {
    /// The jobs, newest first, with their numbers.
    jobs: Vec<(i64, JobRecord)>,
    /// The last one that was looked at, where there are more behind it.
    cut: Option<i64>,
}

impl Reader {
    /// A page of jobs.
    pub async fn jobs(&self, filter: &JobFilter, now: Timestamp) -> Result<JobPage, Error> {
        let limit = filter.limit.min(PAGE_MAX);
        let Some(span) = self.span(filter).await?.filter(|_| limit > 0) else {
            return Ok(JobPage::default());
        };
        let sieve = Sieve::new(filter, now);
        // One more than are asked for: it tells that there are more.
        let looked = self.search(filter, &sieve, span, limit + 1).await?;
        let Looked { mut jobs, cut } = looked;
        let is_full = jobs.len() > limit;
        jobs.truncate(limit);
        let next = match (is_full, cut) {
            (true, _) => jobs.last().map(|(_, job)| job.job_id.clone()),
            (false, Some(number)) => self.numbered(number).await?,
            (false, None) => None,
        };
        Ok(JobPage { jobs: jobs.into_iter().map(|(_, job)| job).collect(), next })
    }

    async fn search(
        &self,
        filter: &JobFilter,
        sieve: &Sieve,
        mut span: Span,
        wanted: usize,
    ) -> Result<Looked, Error> {
        if let Family::ChildrenOf(parent) = &filter.family {
            let children = Place::Children(parent.to_string());
            return self.look_in(&children, sieve, span, wanted).await;
        }
        let newest = Span { most: NEWEST, ..span };
        let newest = self.look_in(&Place::All, sieve, newest, wanted).await?;
        let Some(cut) = newest.cut.filter(|_| newest.jobs.len() < wanted) else {
            return Ok(newest);
        };
        span.below = cut;
        let wanted = wanted - newest.jobs.len();
        let mut all = newest.jobs;
        let rest = self.look_around(filter, sieve, span, wanted).await?;
        all.extend(rest.jobs);
        Ok(Looked { jobs: all, cut: rest.cut })
    }

    /// Looks wherever the wanted jobs can be.
    async fn look_around(
        &self,
        filter: &JobFilter,
        sieve: &Sieve,
        span: Span,
        wanted: usize,
    ) -> Result<Looked, Error> {
        let places = self.places(filter, span).await?;
        let mut all = Looked::default();
        for place in &places {
            let looked = self.look_in(place, sieve, span, wanted).await?;
            all.jobs.extend(looked.jobs);
            all.cut = all.cut.max(looked.cut);
        }
        // Behind the first place where a look ended, not everything was looked at.
        all.jobs.retain(|(number, _)| all.cut.is_none_or(|cut| *number >= cut));
        all.jobs.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        // A job that ended meanwhile may be in two.
        all.jobs.dedup_by_key(|(number, _)| *number);
        Ok(all)
    }

    /// Looks at the newest jobs of a place, until as many are found as are wanted.
    async fn look_in(
        &self,
        place: &Place,
        sieve: &Sieve,
        span: Span,
        wanted: usize,
    ) -> Result<Looked, Error> {
        let span = Span { most: sieve.most(span.most), ..span };
        let rows = self.sift(place, sieve, span, wanted).await?;
        let mut jobs = Vec::new();
        for row in &rows {
            let job = self.job_record(row)?;
            if sieve.has_text(&job) {
                jobs.push((row.get(11), job));
            }
        }
        jobs.truncate(wanted);
        if jobs.len() == wanted {
            let cut = jobs.last().map(|(number, _)| *number);
            return Ok(Looked { jobs, cut });
        }
        let cut = self.last_looked_at(place, span).await?;
        // What came in meanwhile pushed as many out of reach.
        jobs.retain(|(number, _)| cut.is_none_or(|cut| *number >= cut));
        Ok(Looked { jobs, cut })
    }

    /// Which jobs may be on the page, by their numbers. `None` where nothing is older than an
    /// unknown job.
    async fn span(&self, filter: &JobFilter) -> Result<Option<Span>, Error> {
        let mut span = Span { from: i64::MIN, below: i64::MAX, most: LOOKED_AT_MAX as i64 };
        if let Some(job_id) = &filter.before {
            let Some(number) = self.number(job_id).await? else { return Ok(None) };
            span.below = number;
        }
        if let Some(moment) = filter.created_before {
            span.below = span.below.min(self.place_of(moment).await?.latest);
        }
        if let Some(moment) = filter.created_from {
            span.from = self.place_of(moment).await?.earliest;
        }
        Ok(Some(span))
    }

    /// The job of this number.
    async fn numbered(&self, number: i64) -> Result<Option<JobId>, Error> {
        let sql = "SELECT job_id FROM job WHERE job_number = $1";
        let rows = self.rows(sql, &[&number]).await?;
        Ok(rows.first().map(|row| JobId::from(row.get::<_, &str>(0))))
    }
}
