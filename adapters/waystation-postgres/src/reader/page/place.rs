//! Where jobs of some kind can be, without a look at all of them.

use waystation_core::id::{PipelineName, StageId};
use waystation_core::job::JobFilter;
use waystation_core::port::Error;
use waystation_core::state::JobState;

use super::{Reader, Span};
use crate::parameter::Parameter;
use crate::rows::state_number;

/// With more jobs than these in the queues and the inbox, they are no place to look for some.
const LIVE_MAX: i64 = 10_000;
/// With more jobs of a pipeline than these that ended, it is no place either.
const ENDED_MAX: i64 = 5_000;

// In the order of the index, so that nothing else is used to find so few.
const ENDED: &str = "SELECT job_number FROM job WHERE state >= 6 AND pipeline = $1 \
     AND state = ANY($2) AND ($3::text IS NULL OR stage = $3) \
     ORDER BY pipeline, state, stage LIMIT $4";
const LIVE: &str = "(SELECT job FROM message LIMIT $1) UNION (SELECT job FROM task LIMIT $1)";

/// Where to look.
pub enum Place {
    /// Among all jobs.
    All,
    /// Among those that ended in this state, which few do.
    Unfulfilled(i16),
    /// Among the children of a job.
    Children(String),
    /// Among these.
    Jobs(Vec<i64>),
}

impl Place {
    /// The newest jobs of the place. Its parameters follow on this many: where the jobs begin and
    /// end, how many there may be, and what the place needs.
    pub fn jobs(&self, columns: &str, first: usize) -> String {
        let own = first + 3;
        let condition = match self {
            Self::All => String::new(),
            Self::Unfulfilled(_) => format!("state >= 7 AND state = ${own} AND"),
            Self::Children(_) => format!("parent = ${own} AND"),
            Self::Jobs(_) => format!("job_number = ANY(${own}) AND"),
        };
        format!(
            "SELECT {columns} FROM job WHERE {condition} job_number >= ${first} \
             AND job_number < ${} ORDER BY job_number DESC LIMIT ${}",
            first + 1,
            first + 2
        )
    }

    /// How many parameters it has.
    pub fn parameters(&self) -> usize {
        if matches!(self, Self::All) { 3 } else { 4 }
    }

    pub fn add_parameters<'a>(&'a self, to: &mut Vec<&'a (dyn Parameter + Sync)>, span: &'a Span) {
        to.extend([&span.from as &(dyn Parameter + Sync), &span.below, &span.most]);
        match self {
            Self::All => {}
            Self::Unfulfilled(state) => to.push(state),
            Self::Children(parent) => to.push(parent),
            Self::Jobs(numbers) => to.push(numbers),
        }
    }
}

impl Reader {
    /// Where the jobs are that the filter lets through.
    pub(super) async fn places(&self, filter: &JobFilter, span: Span) -> Result<Vec<Place>, Error> {
        let all = || Ok(vec![Place::All]);
        if filter.states.is_empty() && filter.pipeline.is_none() {
            return all();
        }
        let is_wanted =
            |state: &JobState| filter.states.is_empty() || filter.states.contains(state);
        let wanted: Vec<JobState> = JobState::ALL.into_iter().filter(is_wanted).collect();
        let (ended, live): (Vec<JobState>, Vec<JobState>) =
            wanted.into_iter().partition(|state| state.is_terminal());
        let mut places = Vec::new();
        if !ended.is_empty() {
            match self.ended(filter, &ended).await? {
                Some(numbers) => places.push(Place::Jobs(numbers)),
                None if ended.contains(&JobState::Completed) => return all(),
                None => {
                    let states = ended.into_iter().map(state_number);
                    places.extend(states.map(Place::Unfulfilled));
                }
            }
        }
        if !live.is_empty() {
            let Some(numbers) = self.live(span).await? else { return all() };
            places.push(Place::Jobs(numbers));
        }
        Ok(places)
    }

    /// The jobs of a pipeline that ended in these states, where it is known and they are few.
    async fn ended(
        &self,
        filter: &JobFilter,
        states: &[JobState],
    ) -> Result<Option<Vec<i64>>, Error> {
        let Some(pipeline) = filter.pipeline.as_ref().map(PipelineName::as_str) else {
            return Ok(None);
        };
        let states: Vec<i16> = states.iter().copied().map(state_number).collect();
        let stage = filter.stage.as_ref().map(StageId::as_str);
        let rows = self.rows(ENDED, &[&pipeline, &states, &stage, &(ENDED_MAX + 1)]).await?;
        let is_few = rows.len() as i64 <= ENDED_MAX;
        Ok(is_few.then(|| rows.iter().map(|row| row.get(0)).collect()))
    }

    /// The jobs in the queues and in the inbox, where they are few.
    async fn live(&self, span: Span) -> Result<Option<Vec<i64>>, Error> {
        let rows = self.rows(LIVE, &[&(LIVE_MAX + 1)]).await?;
        if rows.len() as i64 > LIVE_MAX {
            return Ok(None);
        }
        let numbers = rows.iter().map(|row| row.get::<_, i64>(0));
        Ok(Some(numbers.filter(|number| (span.from..span.below).contains(number)).collect()))
    }

    /// The last of the jobs of a place that are looked at, where there may be more behind it.
    pub(super) async fn last_looked_at(
        &self,
        place: &Place,
        span: Span,
    ) -> Result<Option<i64>, Error> {
        let sql = format!(
            "SELECT count(*), min(job_number) FROM ({}) AS looked",
            place.jobs("job_number", 1)
        );
        let mut parameters: Vec<&(dyn Parameter + Sync)> = Vec::new();
        place.add_parameters(&mut parameters, &span);
        let rows = self.rows(&sql, &parameters).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(row.get::<_, Option<i64>>(1).filter(|_| row.get::<_, i64>(0) == span.most))
    }
}
