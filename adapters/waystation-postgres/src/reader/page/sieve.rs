//! What is asked of each job that is looked at.

use tokio_postgres::Row;
use waystation_core::clock::Timestamp;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::job::{Family, JobFilter, JobRecord};
use waystation_core::needle::Needle;
use waystation_core::port::Error;

use super::place::Place;
use super::{Reader, Span};
use crate::parameter::Parameter;
use crate::reader::jobs::select;
use crate::rows::state_number;

/// A text that the server cannot look for is looked for here: that many bodies fewer are fetched.
const FETCHED_PART: i64 = 10;

// Bodies are bytes and may be no text at all. As Latin-1 every byte is a letter, but for the zero,
// which is made another one; and of letters beyond ASCII none changes its case there.
const HAS_TEXT: &str = "$8::text IS NULL OR strpos(lower(job_id COLLATE \"C\"), $8) > 0 \
     OR strpos(lower(CASE WHEN position('\\x00'::bytea IN now_body) = 0 \
     THEN convert_from(now_body, 'LATIN1') \
     ELSE convert_from(decode(replace(encode(now_body, 'escape'), '\\000', '\\001'), 'escape'), \
     'LATIN1') END COLLATE \"C\"), $8) > 0";
const CONDITIONS: &str = "($2::text IS NULL OR pipeline = $2) AND ($3::text IS NULL OR stage = $3) \
     AND ($4::smallint[] IS NULL OR now_state = ANY($4)) AND (parent IS NULL OR NOT $5) \
     AND ($6::bigint IS NULL OR created_at >= $6) AND ($7::bigint IS NULL OR created_at < $7)";

/// A filter as the statement takes it.
pub struct Sieve {
    now: Timestamp,
    pipeline: Option<PipelineName>,
    stage: Option<StageId>,
    /// In any, where there are none.
    states: Option<Vec<i16>>,
    parents_only: bool,
    created_from: Option<i64>,
    created_before: Option<i64>,
    needle: Option<Needle>,
}

impl Sieve {
    pub fn new(filter: &JobFilter, now: Timestamp) -> Self {
        let states: Vec<i16> = filter.states.iter().copied().map(state_number).collect();
        Self {
            now,
            pipeline: filter.pipeline.clone(),
            stage: filter.stage.clone(),
            states: Some(states).filter(|states| !states.is_empty()),
            parents_only: filter.family == Family::Parents,
            created_from: filter.created_from.map(|moment| moment.0),
            created_before: filter.created_before.map(|moment| moment.0),
            needle: filter.text.as_deref().filter(|text| !text.is_empty()).map(Needle::new),
        }
    }

    /// What the server looks for, if it can.
    fn looked_for(&self) -> Option<&str> {
        let is_simple = |needle: &&Needle| needle.is_ascii() && !needle.as_str().contains('\0');
        self.needle.as_ref().filter(is_simple).map(Needle::as_str)
    }

    /// Whether the text is looked for here.
    fn is_looked_for_here(&self) -> bool {
        self.needle.is_some() && self.looked_for().is_none()
    }

    /// At how many jobs to look where so many are allowed.
    pub fn most(&self, most: i64) -> i64 {
        if self.is_looked_for_here() { most / FETCHED_PART } else { most }
    }

    /// Whether a job that the server let through has the text.
    pub fn has_text(&self, job: &JobRecord) -> bool {
        let is_in = |needle: &Needle| {
            needle.is_in(job.job_id.as_str().as_bytes()) || needle.is_in(&job.body)
        };
        !self.is_looked_for_here() || self.needle.as_ref().is_none_or(is_in)
    }
}

impl Reader {
    /// The newest jobs of a place that are let through, of so many that are looked at.
    pub(super) async fn sift(
        &self,
        place: &Place,
        sieve: &Sieve,
        span: Span,
        wanted: usize,
    ) -> Result<Vec<Row>, Error> {
        let jobs = format!("({})", place.jobs("*", 9));
        let sql = format!(
            "{} WHERE {CONDITIONS} AND ({HAS_TEXT}) ORDER BY job_number DESC LIMIT ${}",
            select(&jobs),
            place.parameters() + 9
        );
        let (pipeline, stage) = (
            sieve.pipeline.as_ref().map(PipelineName::as_str),
            sieve.stage.as_ref().map(StageId::as_str),
        );
        let text = sieve.looked_for();
        let limit = if sieve.is_looked_for_here() { span.most } else { wanted as i64 };
        let mut parameters: Vec<&(dyn Parameter + Sync)> = vec![
            &sieve.now.0,
            &pipeline,
            &stage,
            &sieve.states,
            &sieve.parents_only,
            &sieve.created_from,
            &sieve.created_before,
            &text,
        ];
        place.add_parameters(&mut parameters, &span);
        parameters.push(&limit);
        self.rows(&sql, &parameters).await
    }
}
