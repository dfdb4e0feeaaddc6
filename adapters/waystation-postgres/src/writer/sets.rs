//! Rows that more than one command writes, a set at a time.

use crate::parameter::Parameter;
use waystation_core::clock::Timestamp;
use waystation_core::event::{Event, LogLine};
use waystation_core::failure::Failure;
use waystation_core::projection::Shadow;
use waystation_core::settlement::Task;
use waystation_core::state::JobState;

use super::arrivals::Arrival;
use super::batch::{Result, Writer};
use crate::rows::{
    AWAITING, AWAY, BEHIND, HELD, READY, failure_text, kind_number, level_number, state_number,
};

/// A job that goes on.
pub struct Move<'a> {
    /// The job's number.
    pub job: i64,
    /// Its state from now on.
    pub state: JobState,
    /// Its stage from now on.
    pub stage: &'a str,
}

/// A job that ends.
pub struct End<'a> {
    /// The job's number.
    pub job: i64,
    /// Its last state.
    pub state: JobState,
    /// Its last stage.
    pub stage: &'a str,
    /// Why it failed or was aborted.
    pub failure: Option<&'a Failure>,
    /// Its last contract.
    pub body: &'a [u8],
}

impl Writer {
    /// Puts messages into their queues, in this order.
    pub(super) async fn insert_messages(&mut self, arrivals: &[Arrival<'_>]) -> Result<()> {
        if arrivals.is_empty() {
            return Ok(());
        }
        let now = self.now;
        let due = |one: &Arrival<'_>| {
            one.message.not_before.filter(|moment| !one.awaits && *moment > now)
        };
        // What has a key is behind others, until its line has moved up.
        let state = |one: &Arrival<'_>| match due(one) {
            _ if one.awaits => AWAITING,
            Some(_) => HELD,
            None if one.message.turn.is_some() && !one.keeps_place => BEHIND,
            None => READY,
        };
        let key = |one: &Arrival<'_>| one.message.turn.as_ref().map(|turn| turn.key.to_string());
        let each = || arrivals.iter();
        let queues: Vec<&str> = each().map(|one| one.message.queue.as_str()).collect();
        let ranks: Vec<i16> = each().map(|one| one.message.priority.saturating_neg()).collect();
        let states: Vec<i16> = each().map(state).collect();
        let dues: Vec<_> = each().map(|one| due(one).map(|moment| moment.0)).collect();
        let jobs: Vec<i64> = each().map(|one| one.job).collect();
        let bodies: Vec<&[u8]> = each().map(|one| one.message.body.as_slice()).collect();
        let runs = || each().map(|one| one.made_by.as_ref());
        let parents: Vec<_> = runs().map(|run| run.map(|run| run.job_id.as_str())).collect();
        let visits: Vec<_> = runs().map(|run| run.map(|run| run.visit as i32)).collect();
        let moments: Vec<_> = each().map(|one| one.created_at.map(|moment| moment.0)).collect();
        let keys: Vec<Option<String>> = each().map(key).collect();
        let turns: Vec<Option<i64>> = each().map(|one| one.keeps_place.then_some(0)).collect();
        let sql = "INSERT INTO message (queue, rank, state, due, job, body, parent, parent_visit, \
             created_at, enqueued_at, key, turn) \
             SELECT queue, rank, state, due, job, body, parent, visit, created_at, $10, key, turn \
             FROM unnest($1::text[], $2::smallint[], $3::smallint[], $4::bigint[], $5::bigint[], \
             $6::bytea[], $7::text[], $8::integer[], $9::bigint[], $11::text[], $12::bigint[]) \
             WITH ORDINALITY AS new (queue, rank, state, due, job, body, parent, visit, \
             created_at, key, turn, place) ORDER BY place";
        let parameters: [&(dyn Parameter + Sync); 12] = [
            &queues, &ranks, &states, &dues, &jobs, &bodies, &parents, &visits, &moments, &now.0,
            &keys, &turns,
        ];
        self.link.send(sql, &parameters).await?;
        for one in arrivals.iter().filter(|one| !one.awaits) {
            match due(one) {
                Some(moment) => self.expect_due(moment),
                None if state(one) == BEHIND => {
                    self.touched.note(one.message.queue.as_str(), key(one).as_deref());
                }
                None => self.note_added(&one.message.queue, one.message.priority.saturating_neg()),
            }
        }
        Ok(())
    }

    /// Keeps the shadows of messages that a broker has.
    pub(super) async fn insert_shadows(&mut self, shadows: &[(i64, &Shadow)]) -> Result<()> {
        if shadows.is_empty() {
            return Ok(());
        }
        let each = || shadows.iter().map(|(_, shadow)| *shadow);
        let moment = |at: Option<Timestamp>| at.map(|at| at.0);
        let jobs: Vec<i64> = shadows.iter().map(|(job, _)| *job).collect();
        let queues: Vec<&str> = each().map(|one| one.message.queue.as_str()).collect();
        let ranks: Vec<i16> = each().map(|one| one.message.priority.saturating_neg()).collect();
        let bodies: Vec<&[u8]> = each().map(|one| one.message.body.as_slice()).collect();
        let waits: Vec<_> = each().map(|one| moment(one.message.not_before)).collect();
        let starts: Vec<_> = each().map(|one| moment(one.running_since)).collect();
        let told: Vec<_> = each().map(|one| moment(one.told_at)).collect();
        let aborts: Vec<Option<&str>> = each().map(|one| one.abort.as_deref()).collect();
        let key = |one: &Shadow| one.message.turn.as_ref().map(|turn| turn.key.to_string());
        let keys: Vec<Option<String>> = each().map(key).collect();
        let sql = "INSERT INTO message (job, queue, rank, body, not_before, leased_at, told_at, \
             abort, state, enqueued_at, key) \
             SELECT job, queue, rank, body, not_before, leased_at, told_at, abort, $9, $10, key \
             FROM unnest($1::bigint[], $2::text[], $3::smallint[], $4::bytea[], $5::bigint[], \
             $6::bigint[], $7::bigint[], $8::text[], $11::text[]) \
             AS new (job, queue, rank, body, not_before, leased_at, told_at, abort, key)";
        let parameters: [&(dyn Parameter + Sync); 11] = [
            &jobs,
            &queues,
            &ranks,
            &bodies,
            &waits,
            &starts,
            &told,
            &aborts,
            &AWAY,
            &self.now.0,
            &keys,
        ];
        self.link.run(sql, &parameters).await.map(drop)
    }

    /// Opens tasks in the inbox, in this order.
    pub(super) async fn insert_tasks(&mut self, tasks: &[(i64, &Task)]) -> Result<()> {
        if tasks.is_empty() {
            return Ok(());
        }
        let jobs: Vec<i64> = tasks.iter().map(|(job, _)| *job).collect();
        let stages: Vec<&str> = tasks.iter().map(|(_, task)| task.stage.as_str()).collect();
        let bodies: Vec<&[u8]> = tasks.iter().map(|(_, task)| task.body.as_slice()).collect();
        let sql = "INSERT INTO task (job, pipeline, stage, created_at, body) \
             SELECT new.job, job.pipeline, new.stage, $4, new.body \
             FROM unnest($1::bigint[], $2::text[], $3::bytea[]) \
             WITH ORDINALITY AS new (job, stage, body, place) \
             JOIN job ON job.job_number = new.job ORDER BY place";
        self.link.send(sql, &[&jobs, &stages, &bodies, &self.now.0]).await
    }

    /// Writes down what happened, in this order.
    pub(super) async fn insert_events(&mut self, events: &[(i64, &Event)]) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let jobs: Vec<i64> = events.iter().map(|(job, _)| *job).collect();
        let kinds: Vec<i16> = events.iter().map(|(_, event)| kind_number(event.kind)).collect();
        let stages: Vec<&str> = events.iter().map(|(_, event)| event.stage.as_str()).collect();
        let visits: Vec<i32> = events.iter().map(|(_, event)| event.visit as i32).collect();
        let attempts: Vec<i32> = events.iter().map(|(_, event)| event.attempt as i32).collect();
        let moments: Vec<i64> = events.iter().map(|(_, event)| event.at.0).collect();
        let details: Vec<Option<String>> = events
            .iter()
            .map(|(_, event)| event.detail.as_ref().map(ToString::to_string))
            .collect();
        let sql = "INSERT INTO event (job, kind, stage, visit, attempt, at, detail) \
             SELECT job, kind, stage, visit, attempt, at, detail \
             FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::integer[], \
             $5::integer[], $6::bigint[], $7::text[]) \
             WITH ORDINALITY AS new (job, kind, stage, visit, attempt, at, detail, place) \
             ORDER BY place";
        self.link.send(sql, &[&jobs, &kinds, &stages, &visits, &attempts, &moments, &details]).await
    }

    /// Writes down what attempts said, in this order.
    pub(super) async fn insert_log(&mut self, log: &[(i64, &LogLine)]) -> Result<()> {
        if log.is_empty() {
            return Ok(());
        }
        let jobs: Vec<i64> = log.iter().map(|(job, _)| *job).collect();
        let stages: Vec<&str> = log.iter().map(|(_, line)| line.stage.as_str()).collect();
        let attempts: Vec<i32> = log.iter().map(|(_, line)| line.attempt as i32).collect();
        let moments: Vec<i64> = log.iter().map(|(_, line)| line.at.0).collect();
        let levels: Vec<i16> = log.iter().map(|(_, line)| level_number(line.level)).collect();
        // A text of PostgreSQL holds no NUL.
        let lines: Vec<String> =
            log.iter().map(|(_, line)| line.line.replace('\0', "\u{fffd}")).collect();
        let sql = "INSERT INTO log (job, stage, attempt, at, level, line) \
             SELECT job, stage, attempt, at, level, line \
             FROM unnest($1::bigint[], $2::text[], $3::integer[], $4::bigint[], $5::smallint[], \
             $6::text[]) WITH ORDINALITY AS new (job, stage, attempt, at, level, line, place) \
             ORDER BY place";
        self.link.send(sql, &[&jobs, &stages, &attempts, &moments, &levels, &lines]).await
    }

    /// Moves jobs that go on.
    pub(super) async fn move_jobs(&mut self, moves: &[Move<'_>]) -> Result<()> {
        if moves.is_empty() {
            return Ok(());
        }
        let jobs: Vec<i64> = moves.iter().map(|one| one.job).collect();
        let states: Vec<i16> = moves.iter().map(|one| state_number(one.state)).collect();
        let stages: Vec<&str> = moves.iter().map(|one| one.stage).collect();
        let sql = "UPDATE job SET state = new.state, stage = new.stage, updated_at = $4 \
             FROM unnest($1::bigint[], $2::smallint[], $3::text[]) AS new (job, state, stage) \
             WHERE job_number = new.job";
        self.link.send(sql, &[&jobs, &states, &stages, &self.now.0]).await
    }

    /// Ends jobs.
    pub(super) async fn end_jobs(&mut self, ends: &[End<'_>]) -> Result<()> {
        if ends.is_empty() {
            return Ok(());
        }
        let jobs: Vec<i64> = ends.iter().map(|one| one.job).collect();
        let states: Vec<i16> = ends.iter().map(|one| state_number(one.state)).collect();
        let stages: Vec<&str> = ends.iter().map(|one| one.stage).collect();
        let failures: Vec<Option<String>> =
            ends.iter().map(|one| one.failure.map(failure_text)).collect();
        let bodies: Vec<&[u8]> = ends.iter().map(|one| one.body).collect();
        let sql = "UPDATE job SET state = new.state, stage = new.stage, updated_at = $6, \
             failure = new.failure, body = new.body \
             FROM unnest($1::bigint[], $2::smallint[], $3::text[], $4::text[], $5::bytea[]) \
             AS new (job, state, stage, failure, body) WHERE job_number = new.job";
        self.link.send(sql, &[&jobs, &states, &stages, &failures, &bodies, &self.now.0]).await
    }
}
