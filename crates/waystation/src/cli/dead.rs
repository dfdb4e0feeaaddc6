//! `waystation dead`: jobs that nobody tries again until a person says so.

use clap::Subcommand;
use serde_json::json;
use waystation::core::id::{JobId, PipelineName};
use waystation::core::job::{DeadLetterFilter, DeadLetterRecord, PAGE_MAX};

use super::exit::{Error, Outcome};
use super::session::{Global, Session};
use super::table::{Cell, Table};
use super::{out, timing};

/// What can be done with dead letters.
#[derive(Subcommand)]
pub enum Verb {
    /// List them, newest first.
    List {
        /// Only of this pipeline
        #[arg(long)]
        pipeline: Option<PipelineName>,
    },
    /// Try their jobs again, each at the stage where it failed.
    Retry(Which),
    /// Drop them. Their jobs stay failed.
    Drop(Which),
}

/// Which dead letters.
#[derive(clap::Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// The jobs
    jobs: Vec<JobId>,
    /// All of them
    #[arg(long)]
    all: bool,
}

#[derive(Clone, Copy)]
enum Act {
    Retry,
    Drop,
}

/// Does it.
pub async fn run(verb: Verb, global: &Global) -> Result<Outcome, Error> {
    let session = global.open_existing().await?;
    match verb {
        Verb::List { pipeline } => list(pipeline.as_ref(), &session, global).await,
        Verb::Retry(Which { all: true, .. }) => retry_all(&session, None, global).await,
        Verb::Retry(Which { jobs, .. }) => retry(&session, &jobs, global).await,
        Verb::Drop(Which { all: true, .. }) => act_on_all(Act::Drop, &session, None, global).await,
        Verb::Drop(Which { jobs, .. }) => {
            let mut outcome = Outcome::Done;
            for job_id in jobs {
                let letter = letter_of(&session, &job_id).await?;
                outcome = outcome.and(act(Act::Drop, &session, &job_id, letter, global).await?);
            }
            Ok(outcome)
        }
    }
}

/// Tries these jobs again.
pub async fn retry(session: &Session, jobs: &[JobId], global: &Global) -> Result<Outcome, Error> {
    let mut outcome = Outcome::Done;
    for job_id in jobs {
        let letter = letter_of(session, job_id).await?;
        outcome = outcome.and(act(Act::Retry, session, job_id, letter, global).await?);
    }
    Ok(outcome)
}

/// Tries every job again that failed, of one pipeline or of all.
pub async fn retry_all(
    session: &Session,
    pipeline: Option<&PipelineName>,
    global: &Global,
) -> Result<Outcome, Error> {
    act_on_all(Act::Retry, session, pipeline, global).await
}

async fn list(
    pipeline: Option<&PipelineName>,
    session: &Session,
    global: &Global,
) -> Result<Outcome, Error> {
    let letters = session.backend().store.dead_letters(newest(pipeline, None)).await?;
    let cut = letters.len() == PAGE_MAX;
    if global.json {
        letters.iter().for_each(out::json);
        return Ok(Outcome::Done);
    }
    if cut {
        out::say(format_args!("only the newest {PAGE_MAX} are shown"));
    }
    let Some(first) = letters.first() else {
        out::say("no dead letters");
        return Ok(Outcome::Done);
    };
    let now = session.backend().clock.now();
    let mut table = Table::new(["job", "stage", "pipeline", "age", "attempt", "failure"]);
    for letter in &letters {
        table.row(vec![
            letter.job_id.as_str().into(),
            letter.stage.as_str().into(),
            letter.pipeline.as_str().into(),
            timing::age(now, letter.at).into(),
            letter
                .failure
                .attempt
                .map_or_else(|| "–".to_owned(), |number| number.to_string())
                .into(),
            Cell::from(out::short(&letter.failure.to_string(), 160)),
        ]);
    }
    table.print();
    let show = global.command(&format!("jobs show {}", first.job_id));
    let retry = global.command(&format!("dead retry {}", first.job_id));
    out::hint(format_args!("`{show}` tells more; `{retry}` tries again"));
    Ok(Outcome::Done)
}

async fn letter_of(session: &Session, job_id: &JobId) -> Result<Option<DeadLetterRecord>, Error> {
    let filter = DeadLetterFilter::of_job(job_id);
    let letters = session.backend().store.dead_letters(filter).await?;
    Ok(letters.into_iter().next())
}

/// The newest dead letters before this one, of one pipeline or of all.
fn newest(pipeline: Option<&PipelineName>, before: Option<i64>) -> DeadLetterFilter {
    DeadLetterFilter { pipeline: pipeline.cloned(), before, ..DeadLetterFilter::newest(PAGE_MAX) }
}

/// Does it to each letter once, page by page. Those that come meanwhile are not among them.
async fn act_on_all(
    what: Act,
    session: &Session,
    pipeline: Option<&PipelineName>,
    global: &Global,
) -> Result<Outcome, Error> {
    let mut outcome = Outcome::Done;
    let mut before = None;
    let mut is_first = true;
    loop {
        let letters = session.backend().store.dead_letters(newest(pipeline, before)).await?;
        let Some(last) = letters.last() else {
            if is_first {
                out::say("no dead letters");
            }
            return Ok(outcome);
        };
        (before, is_first) = (Some(last.dead_letter_id), false);
        for letter in letters {
            let job_id = letter.job_id.clone();
            // One that cannot be tried again does not keep the others from it.
            outcome = outcome.and(act(what, session, &job_id, Some(letter), global).await?);
        }
    }
}

/// Does it to one. What keeps only this one from it is told, and is no error.
async fn act(
    what: Act,
    session: &Session,
    job_id: &JobId,
    letter: Option<DeadLetterRecord>,
    global: &Global,
) -> Result<Outcome, Error> {
    let (word, done) = match what {
        Act::Retry => ("retried", "goes on at"),
        Act::Drop => ("dropped", "is dropped; it stays failed at"),
    };
    let Some(letter) = letter else {
        let known = session.backend().store.job(job_id).await?;
        let (why, outcome) = match known {
            Some(job) => (format!("is {}, not with the dead letters", job.state), Outcome::NotAll),
            None => ("is unknown to this store".to_owned(), Outcome::Unknown),
        };
        refuse(job_id, &why, global);
        return Ok(outcome);
    };
    let result = match what {
        Act::Retry => session.client().retry(job_id).await.map_err(Error::from),
        Act::Drop => session.client().drop_dead(job_id).await.map_err(Error::from),
    };
    match result {
        Ok(()) if global.json => out::json(&json!({ "job_id": job_id, "result": word })),
        Ok(()) => out::line(format_args!("{job_id} {done} {}", letter.stage)),
        Err(error) => {
            refuse(job_id, &error.to_string(), global);
            return Ok(Outcome::NotAll);
        }
    }
    Ok(Outcome::Done)
}

fn refuse(job_id: &JobId, why: &str, global: &Global) {
    if global.json {
        out::json(&json!({ "job_id": job_id, "error": why }));
    } else {
        out::say(format_args!("{}: job {job_id} {why}", out::error_word()));
    }
}
