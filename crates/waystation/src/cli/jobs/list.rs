//! `waystation jobs list`.

use waystation::core::id::{JobId, PipelineName, StageId};
use waystation::core::job::{Family, JobFilter, JobPage, JobRecord, PAGE_MAX};
use waystation::core::state::JobState;

use crate::cli::exit::{Error, Outcome};
use crate::cli::session::{Global, Session};
use crate::cli::table::{Cell, Table};
use crate::cli::{jobs, out, timing};

/// Which jobs to list.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only in this state
    #[arg(long, value_parser = parse_state)]
    state: Option<JobState>,
    /// Only of this pipeline
    #[arg(long)]
    pipeline: Option<PipelineName>,
    /// Only at this stage
    #[arg(long)]
    stage: Option<StageId>,
    /// Only the children of this job
    #[arg(long, value_name = "JOB", conflicts_with = "with_children")]
    children_of: Option<JobId>,
    /// Also jobs that other jobs made
    #[arg(long)]
    with_children: bool,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=PAGE_MAX as u64))]
    limit: u64,
    /// Only older than this job: the next page
    #[arg(long, value_name = "JOB")]
    before: Option<JobId>,
}

fn parse_state(text: &str) -> Result<JobState, String> {
    JobState::parse(text).ok_or_else(|| {
        let known = JobState::ALL.map(JobState::as_str).join(", ");
        format!("no state of a job (known: {known})")
    })
}

/// Lists them.
pub async fn run(
    arguments: Arguments,
    session: &Session,
    global: &Global,
) -> Result<Outcome, Error> {
    if let Some(before) = &arguments.before {
        jobs::find(session.backend(), before).await?;
    }
    let family = match arguments.children_of {
        Some(parent) => {
            jobs::find(session.backend(), &parent).await?;
            Family::ChildrenOf(parent)
        }
        None if arguments.with_children => Family::All,
        None => Family::Parents,
    };
    let limit = arguments.limit as usize;
    let filter = JobFilter {
        pipeline: arguments.pipeline,
        states: arguments.state.into_iter().collect(),
        stage: arguments.stage,
        family,
        before: arguments.before,
        limit,
        ..JobFilter::default()
    };
    let JobPage { jobs: page, next } = search(filter, session).await?;
    if global.json {
        page.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    if page.is_empty() {
        out::say("no such jobs");
        return Ok(Outcome::Done);
    }
    print(&page, session);
    if let Some(next) = next {
        out::say(format_args!("there may be more: add --before {next}"));
    }
    Ok(Outcome::Done)
}

/// Looks on until a page is full or there is nothing more.
async fn search(mut filter: JobFilter, session: &Session) -> Result<JobPage, Error> {
    let mut found = JobPage::default();
    loop {
        let page = session.backend().store.jobs(filter.clone()).await?;
        filter.limit -= page.jobs.len();
        found.jobs.extend(page.jobs);
        found.next = page.next;
        if filter.limit == 0 || found.next.is_none() {
            return Ok(found);
        }
        filter.before.clone_from(&found.next);
    }
}

fn print(page: &[JobRecord], session: &Session) {
    let now = session.backend().clock.now();
    let mut table = Table::new(["job", "state", "stage", "pipeline", "age", "changed", ""]);
    for job in page {
        let why = job.failure.as_ref().map_or_else(String::new, ToString::to_string);
        table.row(vec![
            job.job_id.as_str().into(),
            Cell::state(job.state),
            job.stage.as_str().into(),
            job.pipeline.as_str().into(),
            timing::age(now, job.created_at).into(),
            timing::age(now, job.updated_at).into(),
            Cell::faint(out::short(&why, 80)),
        ]);
    }
    table.print();
}
