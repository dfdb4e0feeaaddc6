//! The least that PostgreSQL must do for the same work: the same rows of the same tables, a
//! thousand jobs a commit, all statements of a commit sent at once.

use std::time::Instant;

use futures_util::future::{try_join3, try_join4};
use tokio_postgres::{Client, Error, NoTls, Statement};

const BATCH: i64 = 1_000;
const LAYOUT: &str =
    include_str!("../../../../adapters/waystation-postgres/src/migrations/0001_jobs.sql");
const FILL_JOBS: &str = "INSERT INTO job (job_id, pipeline, pipeline_version, state, stage, \
     created_at, updated_at) \
     SELECT '0190-' || lpad(n::text, 12, '0') || '-7000-8000-000000000000', 'bench', 1, \
     1, 'stage-0', 0, 0 FROM generate_series(1, $1::bigint) AS n";
const FILL_MESSAGES: &str = "INSERT INTO message (queue, rank, state, job, enqueued_at, body) \
     SELECT 'bench.stage-0', 0, 0, job_number, 0, $1::bytea FROM job ORDER BY job_number";
const END: &str = "DELETE FROM message WHERE message_id = ANY($1::bigint[])";
const ENQUEUE: &str = "INSERT INTO message (queue, rank, state, job, enqueued_at, body) \
     SELECT $1::text, 0, 0, job, 0, body FROM unnest($2::bigint[], $3::bytea[]) AS new (job, body)";
const MOVE: &str = "UPDATE job SET state = 1, stage = $2, updated_at = 1 \
     WHERE job_number = ANY($1::bigint[])";
const FINISH: &str = "UPDATE job SET state = 6, stage = $3, updated_at = 1, body = new.body \
     FROM unnest($1::bigint[], $2::bytea[]) AS new (job, body) WHERE job_number = new.job";
const EVENTS: &str = "INSERT INTO event (job, kind, stage, visit, attempt, at) \
     SELECT job, kind, $2, 1, 1, 1 FROM unnest($1::bigint[]) AS job, \
     generate_series(1, 2) AS kind";
const CLAIM: &str = "UPDATE message SET state = 1, due = 99, deliveries = deliveries + 1, \
     token = nextval('lease_token'), leased_at = 1 WHERE message_id = ANY(ARRAY( \
     SELECT message_id FROM message WHERE queue = $1 AND state = 0 \
     ORDER BY rank, message_id LIMIT $2 FOR UPDATE SKIP LOCKED)) RETURNING message_id, job, body";

/// What was claimed, as the columns that it is settled by.
#[derive(Default)]
struct Claimed {
    messages: Vec<i64>,
    jobs: Vec<i64>,
}

struct Bare {
    client: Client,
    begin: Statement,
    end: Statement,
    enqueue: Statement,
    advance: Statement,
    finish: Statement,
    events: Statement,
    claim: Statement,
    commit: Statement,
    stages: usize,
}

/// Takes this many jobs through the stages in a schema of its own; gives jobs per second.
pub async fn drain(jobs: usize, stages: usize, server: &str, schema: &str) -> Result<f64, Error> {
    let client = connect(server).await?;
    client
        .batch_execute(&format!("CREATE SCHEMA {schema}; SET search_path TO {schema}; {LAYOUT}"))
        .await?;
    client.execute(FILL_JOBS, &[&(jobs as i64)]).await?;
    client.execute(FILL_MESSAGES, &[&body()]).await?;
    let bare = Bare::prepare(client, stages).await?;
    let started = Instant::now();
    for stage in 0..stages {
        let mut claimed = bare.step(&Claimed::default(), stage).await?;
        while !claimed.jobs.is_empty() {
            claimed = bare.step(&claimed, stage).await?;
        }
    }
    Ok(jobs as f64 / started.elapsed().as_secs_f64())
}

/// Removes a schema with all that is in it.
pub async fn forget(server: &str, schema: &str) -> Result<(), Error> {
    let client = connect(server).await?;
    let sql = format!("SET client_min_messages TO warning; DROP SCHEMA {schema} CASCADE");
    client.batch_execute(&sql).await
}

async fn connect(server: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

impl Bare {
    async fn prepare(client: Client, stages: usize) -> Result<Self, Error> {
        Ok(Self {
            begin: client.prepare("BEGIN").await?,
            end: client.prepare(END).await?,
            enqueue: client.prepare(ENQUEUE).await?,
            advance: client.prepare(MOVE).await?,
            finish: client.prepare(FINISH).await?,
            events: client.prepare(EVENTS).await?,
            claim: client.prepare(CLAIM).await?,
            commit: client.prepare("COMMIT").await?,
            stages,
            client,
        })
    }

    /// Ends what was claimed, puts it into the next stage, and claims the next batch: one commit.
    async fn step(&self, claimed: &Claimed, stage: usize) -> Result<Claimed, Error> {
        let client = &self.client;
        let (now, next) = (format!("stage-{stage}"), format!("stage-{}", stage + 1));
        let (queue, next_queue) = (format!("bench.{now}"), format!("bench.{next}"));
        let jobs = &claimed.jobs;
        let bodies = vec![body(); jobs.len()];
        let last = stage + 1 == self.stages;
        let onward = async {
            if claimed.jobs.is_empty() {
                return Ok(());
            }
            let end = async { client.execute(&self.end, &[&claimed.messages]).await };
            let events = async { client.execute(&self.events, &[&jobs, &now]).await };
            if last {
                let finish = async { client.execute(&self.finish, &[&jobs, &bodies, &now]).await };
                return try_join3(end, finish, events).await.map(drop);
            }
            let enqueue =
                async { client.execute(&self.enqueue, &[&next_queue, &jobs, &bodies]).await };
            let advance = async { client.execute(&self.advance, &[&jobs, &next]).await };
            try_join4(end, enqueue, advance, events).await.map(drop)
        };
        let begin = client.execute(&self.begin, &[]);
        let claim = async { client.query(&self.claim, &[&queue, &BATCH]).await };
        let commit = client.execute(&self.commit, &[]);
        let (_, (), rows, _) = try_join4(begin, onward, claim, commit).await?;
        let mut claimed = Claimed::default();
        for row in rows {
            let _: &[u8] = row.get(2);
            claimed.messages.push(row.get(0));
            claimed.jobs.push(row.get(1));
        }
        Ok(claimed)
    }
}

/// A contract of the size that the engine's are.
fn body() -> Vec<u8> {
    vec![b'x'; 400]
}
