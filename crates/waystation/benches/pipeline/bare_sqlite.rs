//! The least that SQLite must do for the same work: the same rows of the same tables, written by
//! one thread with cached statements, a thousand jobs a commit.

use std::time::Instant;

use rusqlite::{Connection, params};

const BATCH: usize = 1_000;
const LAYOUT: &str = concat!(
    include_str!("../../../../adapters/waystation-sqlite/src/migrations/0001_jobs.sql"),
    include_str!("../../../../adapters/waystation-sqlite/src/migrations/0002_away.sql"),
);
const CLAIM: &str = "UPDATE message SET state = 1, due = 99, deliveries = deliveries + 1, \
     token = random() & 0x7fffffffffffffff, leased_at = 1 \
     WHERE message_id IN (SELECT message_id FROM message WHERE queue = ?1 AND state = 0 \
     ORDER BY rank, message_id LIMIT ?2) RETURNING message_id, job, body";

/// Takes this many jobs through the stages; gives jobs per second.
pub fn drain(jobs: usize, stages: usize, synchronous: &str) -> rusqlite::Result<f64> {
    let folder = tempfile::tempdir().map_err(|_| rusqlite::Error::InvalidQuery)?;
    let connection = Connection::open(folder.path().join("bare.db"))?;
    connection.execute_batch(&format!(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = {synchronous}; \
         PRAGMA cache_size = -65536; PRAGMA temp_store = memory; PRAGMA wal_autocheckpoint = 8000;"
    ))?;
    connection.execute_batch(LAYOUT)?;
    fill(&connection, jobs)?;
    let started = Instant::now();
    for stage in 0..stages {
        let mut claimed = step(&connection, &[], stage, stages)?;
        while !claimed.is_empty() {
            claimed = step(&connection, &claimed, stage, stages)?;
        }
    }
    Ok(jobs as f64 / started.elapsed().as_secs_f64())
}

fn fill(connection: &Connection, jobs: usize) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    for number in 1..=jobs as i64 {
        connection
            .prepare_cached(
                "INSERT INTO job (job_number, job_id, pipeline, pipeline_version, state, stage, \
                 created_at, updated_at, live) VALUES (?1, ?2, 1, 1, 1, 0, 0, 0, ?1)",
            )?
            .execute(params![number, format!("0190-{number:012}-7000-8000-000000000000")])?;
        insert(connection, 0, number)?;
    }
    connection.execute_batch("COMMIT")
}

/// Ends what was claimed, puts it into the next stage, and claims the next batch: one commit.
fn step(
    connection: &Connection,
    claimed: &[(i64, i64)],
    stage: usize,
    stages: usize,
) -> rusqlite::Result<Vec<(i64, i64)>> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    for (message, job) in claimed {
        connection
            .prepare_cached("DELETE FROM message WHERE message_id = ?1 RETURNING job")?
            .query_row([message], |_| Ok(()))?;
        let last = stage + 1 == stages;
        if !last {
            insert(connection, stage + 1, *job)?;
        }
        connection
            .prepare_cached(
                "UPDATE job SET state = ?2, stage = ?3, updated_at = 1, live = ?4, body = ?5 \
                 WHERE job_number = ?1",
            )?
            .execute(params![job, if last { 6 } else { 1 }, stage + 1, message, last.then(body)])?;
        for kind in [1, 2] {
            connection
                .prepare_cached(
                    "INSERT INTO event (job, kind, stage, visit, attempt, at) \
                     VALUES (?1, ?2, ?3, 1, 1, 1)",
                )?
                .execute(params![job, kind, stage])?;
        }
    }
    let mut claim = connection.prepare_cached(CLAIM)?;
    let rows = claim.query_map(params![stage, BATCH], |row| {
        let _: Vec<u8> = row.get(2)?;
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let claimed = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    drop(claim);
    connection.prepare_cached("COMMIT")?.execute([])?;
    Ok(claimed)
}

fn insert(connection: &Connection, stage: usize, job: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO message (queue, rank, state, job, enqueued_at, body) \
             VALUES (?1, 0, 0, ?2, 0, ?3)",
        )?
        .execute(params![stage, job, body()])?;
    Ok(())
}

/// A contract of the size that the engine's are.
fn body() -> Vec<u8> {
    vec![b'x'; 400]
}
