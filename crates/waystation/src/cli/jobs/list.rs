//! `waystation jobs list`.

use waystation::core::clock::Timestamp;
use waystation::core::job::PAGE_MAX;
use waystation::core::state::JobState;
use waystation::server::wire::{Job, JobPage};

use crate::cli::exit::{Error, Outcome};
use crate::cli::session::Global;
use crate::cli::site::{Query, Site};
use crate::cli::table::{Cell, Table};
use crate::cli::{jobs, out, timing, words};

/// Which jobs to list.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only in one of these states
    #[arg(long, value_delimiter = ',', value_parser = parse_state)]
    state: Vec<JobState>,
    /// Only of this pipeline
    #[arg(long)]
    pipeline: Option<String>,
    /// Only at this stage
    #[arg(long)]
    stage: Option<String>,
    /// Only those with this text in their id or params
    #[arg(long)]
    text: Option<String>,
    /// Only those that were submitted at this moment or later, as 2026-01-31T12:00:00Z
    #[arg(long, value_name = "MOMENT", value_parser = timing::parse)]
    created_from: Option<Timestamp>,
    /// Only those that were submitted before this moment
    #[arg(long, value_name = "MOMENT", value_parser = timing::parse)]
    created_before: Option<Timestamp>,
    /// Only the children of this job
    #[arg(long, value_name = "JOB", conflicts_with = "with_children")]
    children_of: Option<String>,
    /// Also jobs that other jobs made
    #[arg(long)]
    with_children: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=PAGE_MAX as u64))]
    limit: u64,
    /// Only older than this job: the next page
    #[arg(long, value_name = "JOB")]
    before: Option<String>,
}

/// Reads a state.
pub fn parse_state(text: &str) -> Result<JobState, String> {
    JobState::parse(text).ok_or_else(|| {
        let known = JobState::ALL.map(JobState::as_str).join(", ");
        format!("no state of a job (known: {known})")
    })
}

impl Arguments {
    /// The query, but for what changes from page to page.
    fn query(&self) -> Query {
        let states: Vec<_> = self.state.iter().map(|state| state.as_str()).collect();
        let parents_only = self.children_of.is_none() && !self.with_children;
        Query::default()
            .with("state", (!states.is_empty()).then(|| states.join(",")))
            .with("pipeline", self.pipeline.as_ref())
            .with("stage", self.stage.as_ref())
            .with("text", self.text.as_ref())
            .with("created_from", self.created_from)
            .with("created_before", self.created_before)
            .with("children_of", self.children_of.as_ref())
            .with("parents_only", parents_only.then_some(true))
    }
}

/// Lists them.
pub async fn run(arguments: Arguments, site: &Site, global: &Global) -> Result<Outcome, Error> {
    for named in arguments.before.iter().chain(&arguments.children_of) {
        jobs::find(site, named).await?;
    }
    let JobPage { jobs: page, next } = search(&arguments, site).await?;
    if global.json {
        page.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    if page.is_empty() {
        out::say("no such jobs");
        return Ok(Outcome::Done);
    }
    print(&page);
    if let Some(next) = next {
        out::say(format_args!("there may be more: add --before {next}"));
    }
    Ok(Outcome::Done)
}

/// Looks on until a page is full or there is nothing more.
async fn search(arguments: &Arguments, site: &Site) -> Result<JobPage, Error> {
    let mut found = JobPage { jobs: Vec::new(), next: arguments.before.clone() };
    loop {
        let rest = arguments.limit as usize - found.jobs.len();
        let query = arguments.query().with("before", found.next.as_ref()).with("limit", Some(rest));
        let page: JobPage = site.get(&["jobs"], &query).await?;
        found.jobs.extend(page.jobs);
        found.next = page.next;
        if found.jobs.len() >= arguments.limit as usize || found.next.is_none() {
            return Ok(found);
        }
    }
}

fn print(page: &[Job]) {
    let now = timing::now();
    let mut table = Table::new(["job", "state", "stage", "pipeline", "age", "changed", ""]);
    for job in page {
        let why = job.failure.as_ref().map_or_else(String::new, words::failure);
        table.row(vec![
            job.job_id.as_str().into(),
            Cell::state(&job.state),
            job.stage.as_str().into(),
            job.pipeline.as_str().into(),
            timing::age(now, job.created_at.0).into(),
            timing::age(now, job.updated_at.0).into(),
            Cell::faint(out::short(&why, 80)),
        ]);
    }
    table.print();
}
