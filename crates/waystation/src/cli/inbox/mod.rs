//! `waystation inbox`: the tasks that wait for a person.

mod holding;
mod show;

use clap::Subcommand;
use serde_json::json;
use waystation::Params;
use waystation::core::clock::Timestamp;
use waystation::core::job::PAGE_MAX;
use waystation::server::Code;
use waystation::server::wire::{Answered, Task, TaskAnswer, TaskDetail, TaskPage};

use super::exit::{Error, Outcome};
use super::input::Objects;
use super::session::Global;
use super::site::{Query, Refusal, Site};
use super::table::{Cell, Table};
use super::{jobs, out, timing, words};

/// What can be done with tasks.
#[derive(Subcommand)]
pub enum Verb {
    /// List what waits, oldest first.
    List(Wanted),
    /// Show a task and how to answer it.
    Show {
        /// The task's number
        id: i64,
    },
    /// Answer a task: its job goes on.
    Answer {
        /// The task's number
        id: i64,
        /// The form's fields: a JSON object, @FILE, or - for stdin
        #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
        answer: String,
        /// Who answers [default: $USER; a server knows it by the token]
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
    /// Claim a task for a while: nobody else answers it then.
    Claim {
        /// The task's number
        id: i64,
        /// So long
        #[arg(long, value_name = "N", default_value_t = 1_800)]
        seconds: u32,
    },
    /// Release a task that you hold.
    Release {
        /// The task's number
        id: i64,
    },
    /// Assign a task to a person until it is answered, or to nobody.
    Assign {
        /// The task's number
        id: i64,
        /// The person's name; nobody's unless given
        to: Option<String>,
    },
    /// Say when a task is to be answered at the latest, or that there is time.
    Due {
        /// The task's number
        id: i64,
        /// The moment, as 2026-01-31T12:00:00Z; none unless given
        #[arg(value_parser = timing::parse)]
        at: Option<Timestamp>,
    },
}

/// Which tasks to list.
#[derive(clap::Args)]
pub struct Wanted {
    /// Only of this pipeline
    #[arg(long)]
    pipeline: Option<String>,
    /// Only at this stage
    #[arg(long)]
    stage: Option<String>,
    /// Only of this job
    #[arg(long)]
    job: Option<String>,
    /// Only whose: any, nobody, me, `me_or_nobody`, or name:SOMEBODY
    #[arg(long, value_name = "WHO")]
    holder: Option<String>,
    /// Only those that are to be answered before this moment
    #[arg(long, value_name = "MOMENT", value_parser = timing::parse)]
    due_before: Option<Timestamp>,
}

/// Does it.
pub async fn run(verb: Verb, global: &Global) -> Result<Outcome, Error> {
    match verb {
        Verb::List(wanted) => list(&wanted, &global.site().await?, global).await,
        Verb::Show { id } => show::run(id, &global.site().await?, global).await,
        Verb::Answer { id, answer, by } => {
            let fields = Objects::open("--answer", &answer)?.one()?;
            give(id, fields, &global.site_as(by.as_deref()).await?, global).await
        }
        Verb::Claim { id, seconds } => {
            holding::claim(id, seconds, &global.site().await?, global).await
        }
        Verb::Release { id } => holding::release(id, &global.site().await?, global).await,
        Verb::Assign { id, to } => holding::assign(id, to, &global.site().await?, global).await,
        Verb::Due { id, at } => holding::due(id, at, &global.site().await?, global).await,
    }
}

/// A task with its form, or the error that there is none.
async fn find(id: i64, site: &Site) -> Result<TaskDetail, Refusal> {
    site.get(&["inbox", &id.to_string()], &Query::default()).await
}

async fn list(wanted: &Wanted, site: &Site, global: &Global) -> Result<Outcome, Error> {
    let query = Query::limit(PAGE_MAX)
        .with("pipeline", wanted.pipeline.as_ref())
        .with("stage", wanted.stage.as_ref())
        .with("job_id", wanted.job.as_ref())
        .with("holder", wanted.holder.as_ref())
        .with("due_before", wanted.due_before);
    let TaskPage { tasks, next } = site.get(&["inbox"], &query).await?;
    if global.json {
        tasks.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    let Some(first) = tasks.first() else {
        out::say("the inbox is empty");
        return Ok(Outcome::Done);
    };
    print(&tasks);
    if next.is_some() {
        out::say(format_args!("only the oldest {PAGE_MAX} are shown"));
    }
    let command = global.command(&format!("inbox show {}", first.task_id));
    out::hint(format_args!("`{command}` shows the first"));
    Ok(Outcome::Done)
}

fn print(tasks: &[Task]) {
    // Where nobody holds anything, there is nothing to say of it.
    let is_held = tasks.iter().any(|task| task.holder.is_some());
    let is_due = tasks.iter().any(|task| task.due_at.is_some());
    let mut heads = ["task", "stage", "pipeline", "waits", "job"].map(Cell::head).to_vec();
    heads.extend(is_held.then(|| Cell::head("held by")));
    heads.extend(is_due.then(|| Cell::head("due")));
    let mut table = Table::with_heads(heads);
    for task in tasks {
        let mut cells: Vec<Cell> = vec![
            task.task_id.to_string().into(),
            task.stage.as_str().into(),
            task.pipeline.as_str().into(),
            timing::age(timing::now(), task.created_at.0).into(),
            task.job_id.as_str().into(),
        ];
        cells.extend(is_held.then(|| task.holder.as_deref().unwrap_or_default().into()));
        cells.extend(is_due.then(|| due(task).into()));
        table.row(cells);
    }
    table.print();
}

fn due(task: &Task) -> String {
    let due = task.due_at.map_or_else(String::new, |due| timing::moment(due.0));
    if task.is_overdue { format!("{due} (overdue)") } else { due }
}

async fn give(id: i64, answer: Params, site: &Site, global: &Global) -> Result<Outcome, Error> {
    find(id, site).await?;
    let answered = site.post(&["inbox", &id.to_string(), "answer"], &TaskAnswer { answer }).await;
    let Answered { job_id, .. } = answered.map_err(|refusal| {
        let is_wrong = refusal.code() == Some(Code::Invalid);
        let error = Error::from(refusal);
        if is_wrong {
            let command = global.command(&format!("inbox show {id}"));
            return error.with(&format!(" (hint: `{command}`)"));
        }
        error
    })?;
    let job = jobs::find(site, &job_id).await?.job;
    if global.json {
        out::json(&json!({ "task_id": id, "job": job }));
    } else {
        let state = words::state(&job.state);
        out::line(format_args!("job {job_id} goes on: {state} at stage {}", job.stage));
    }
    Ok(Outcome::Done)
}
