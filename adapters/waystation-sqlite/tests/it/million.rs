//! What looking on costs in a file with a million jobs that have ended. Run by hand:
//! `cargo test -p waystation-sqlite --test it million -- --ignored --nocapture`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use waystation_core::clock::{SystemClock, Timestamp};
use waystation_core::id::JobId;
use waystation_core::job::{Family, Holder, JobFilter, TaskFilter};
use waystation_core::port::Store;
use waystation_core::state::JobState;
use waystation_sqlite::{Options, Sqlite};

const JOBS: i64 = 1_000_000;
const TASKS: i64 = 100_000;
const ROUNDS: usize = 9;
/// One job a second, the first of them so long ago.
const START: i64 = 1_700_000_000_000;
/// What a page may take, at the median, where the machine does little else.
const PAGE_MAX: Duration = Duration::from_millis(500);

/// A million jobs of ten pipelines: one in a thousand failed, and the first thousand are of a
/// pipeline that is none of the others. Beside them jobs that wait for people.
fn fill(path: &std::path::Path) {
    drop(Sqlite::open(Options::new(path), Arc::new(SystemClock)).expect("a fresh store"));
    let mut raw = Connection::open(path).expect("SQLite opens it");
    let filling = raw.transaction().expect("it is writable");
    for number in 1..=14 {
        let name = ["rare".to_owned(), format!("name-{number}")][usize::from(number > 1)].clone();
        let sql = "INSERT INTO name VALUES (?1, ?2)";
        filling.execute(sql, params![number, name]).expect("a name");
    }
    let sql = "INSERT INTO job (job_number, job_id, pipeline, pipeline_version, state, stage, \
         created_at, updated_at, parent, parent_visit, position, body, live) \
         VALUES (?1, ?2, ?3, 1, ?4, ?5, ?6, ?6, ?7, ?8, ?8, ?9, ?10)";
    let mut job = filling.prepare(sql).expect("the layout is known");
    let text = "lorem ipsum dolor sit amet ".repeat(16);
    for number in 1..=JOBS + TASKS {
        let ended = number <= JOBS;
        let pipeline = if number <= 1_000 { 1 } else { 2 + number % 10 };
        let state = if !ended {
            4
        } else if number % 1_000 == 7 {
            7
        } else {
            6
        };
        let id = format!("job-{number:08}");
        let body = ended.then(|| format!(r#"{{"job_id":"{id}","params":{{"t":"{text}"}}}}"#));
        let parent = (number % 100 == 50).then_some(number - 1);
        let live = (!ended).then_some(number - JOBS);
        let at = START + number * 1_000;
        job.execute(params![
            number,
            id,
            pipeline,
            state,
            12 + number % 3,
            at,
            parent,
            parent.map(|_| 1),
            body.map(String::into_bytes),
            live,
        ])
        .expect("a job");
    }
    drop(job);
    let sql = "INSERT INTO task (job, pipeline, stage, created_at, body, assignee, due_at) \
         SELECT job_number, pipeline, stage, created_at, ?2, \
         CASE job_number % 1000 WHEN 0 THEN 'ann' END, \
         CASE job_number % 500 WHEN 0 THEN created_at END FROM job WHERE job_number > ?1";
    filling.execute(sql, params![JOBS, text.as_bytes()]).expect("tasks");
    filling.commit().expect("committed");
}

/// Tells what it takes, at the median. The first round is not counted.
async fn measure<Answer>(name: &str, mut ask: impl AsyncFnMut() -> Answer) {
    let mut took = Vec::new();
    for _ in 0..=ROUNDS {
        let begun = Instant::now();
        ask().await;
        took.push(begun.elapsed());
    }
    took.remove(0);
    took.sort_unstable();
    println!("{name:60} {:8.1} ms", took[ROUNDS / 2].as_secs_f64() * 1_000.0);
    assert!(took[ROUNDS / 2] < PAGE_MAX, "{name}");
}

fn filters() -> Vec<(&'static str, JobFilter)> {
    let any = JobFilter { limit: 50, ..JobFilter::default() };
    let at = |number: i64| Some(Timestamp(START + number * 1_000));
    let text = |text: &str| JobFilter { text: Some(text.to_owned()), ..any.clone() };
    let states = |states: &[JobState]| JobFilter { states: states.to_vec(), ..any.clone() };
    let of = |name: &str| JobFilter { pipeline: Some(name.into()), ..any.clone() };
    let old = Some(JobId::from("job-00500000"));
    vec![
        ("newest", any.clone()),
        ("from the middle on", JobFilter { before: old.clone(), ..any.clone() }),
        ("completed", states(&[JobState::Completed])),
        ("failed", states(&[JobState::Failed])),
        ("failed, from the middle on", JobFilter { before: old, ..states(&[JobState::Failed]) }),
        ("failed, aborted or skipped", {
            states(&[JobState::Failed, JobState::Aborted, JobState::Skipped])
        }),
        ("aborted: there are none", states(&[JobState::Aborted])),
        ("running: there are none", states(&[JobState::Running])),
        ("waiting", states(&[JobState::Waiting])),
        ("a pipeline", of("name-5")),
        ("a rare pipeline, long ago", of("rare")),
        (
            "failed of a pipeline",
            JobFilter { pipeline: Some("name-5".into()), ..states(&[JobState::Failed]) },
        ),
        ("a stage", JobFilter { stage: Some("name-13".into()), ..any.clone() }),
        (
            "a day in the past",
            JobFilter { created_from: at(300_000), created_before: at(386_400), ..any.clone() },
        ),
        (
            "failed on a day in the past",
            JobFilter {
                created_from: at(300_000),
                created_before: at(386_400),
                ..states(&[JobState::Failed])
            },
        ),
        ("before the first job", JobFilter { created_before: at(0), ..any.clone() }),
        ("text that is in every job", text("IPSUM")),
        ("text that is in no job", text("nowhere to be found")),
        ("text beyond ASCII that is in no job", text("nirgends zu fínden")),
        ("an id", text("job-01099999")),
        (
            "text that is in no failed job",
            JobFilter { text: Some("nowhere".into()), ..states(&[JobState::Failed]) },
        ),
        ("nobody's children", JobFilter { family: Family::Parents, ..any.clone() }),
        (
            "children of a job",
            JobFilter { family: Family::ChildrenOf("job-00500049".into()), ..any.clone() },
        ),
    ]
}

#[tokio::test]
#[ignore = "fills a file of a gigabyte, and measures; run by hand"]
async fn looking_on_is_quick_beside_a_million_jobs() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("million.db");
    fill(&path);
    let store = Sqlite::open(Options::new(&path), Arc::new(SystemClock)).expect("it opens");
    for crowded in [true, false] {
        println!("with {} tasks", if crowded { TASKS } else { 0 });
        for (name, filter) in filters() {
            measure(name, async || store.jobs(filter.clone()).await.expect("listed")).await;
        }
        measure("counts", async || store.counts(None).await.expect("counted")).await;
        let name = Some("name-5".into());
        measure("counts of a pipeline", async || store.counts(name.as_ref()).await.is_ok()).await;
        let any = TaskFilter::first(50);
        let tasks = [
            ("tasks", any.clone()),
            ("tasks of a pipeline", TaskFilter { pipeline: name.clone(), ..any.clone() }),
            ("tasks of nobody", TaskFilter { holder: Holder::Nobody, ..any.clone() }),
            (
                "tasks of eve: there are none",
                TaskFilter { holder: Holder::Person("eve".into()), ..any.clone() },
            ),
            ("tasks of ann", TaskFilter { holder: Holder::Person("ann".into()), ..any.clone() }),
            (
                "tasks that are due",
                TaskFilter { due_before: Some(Timestamp(START + 2_000_000_000)), ..any.clone() },
            ),
            ("tasks of a job", TaskFilter { job_id: Some("job-01050000".into()), ..any }),
        ];
        for (name, filter) in tasks {
            measure(name, async || store.tasks(filter.clone()).await.expect("listed")).await;
        }
        Connection::open(&path)
            .and_then(|raw| raw.execute_batch("DELETE FROM task; DELETE FROM job WHERE state = 4"))
            .expect("the tasks are gone");
    }
}
