//! Whether things go on, part by part, with reasons: progress, or proof that there is nothing to
//! do.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waystation_core::clock::Timestamp;
use waystation_core::statistics::{Measure, Statistic};
use waystation_engine::supervisor::{EngineStatus, SlotState, WorkerStatus};

use crate::context::Context;
use crate::problem::Problem;
use crate::wire::{Moment, Queue};

/// So long may something wait in a queue before anybody wonders.
const PATIENCE: Duration = Duration::from_mins(1);
/// So far back attempts are looked for that began.
const LATELY: Duration = Duration::from_mins(5);
/// How long the store may take to answer.
const STORE_WAIT_MAX: Duration = Duration::from_secs(5);

/// How all of it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `unhealthy` when a part is, else `healthy`.
    pub status: Verdict,
    /// When it was looked.
    pub timestamp: Moment,
    /// What this server is called.
    pub worker_name: String,
    /// The parts: the store, the engines of the hosts, the broker where queues are apart from
    /// the store, and each queue.
    pub components: Vec<Component>,
}

/// How a part is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Component {
    /// `store`, `broker`, or `queue/` with its name.
    pub name: String,
    /// How it is.
    pub status: Verdict,
    /// Why that is so.
    pub reason: String,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It goes on, or there is nothing to do.
    Healthy,
    /// It goes on, and somebody should look.
    Warning,
    /// It should go on, and does not.
    Unhealthy,
}

/// Looks at every part.
pub async fn look(context: &Context) -> Health {
    let store = store(context).await;
    let mut components = vec![store];
    if components[0].status == Verdict::Healthy {
        components.extend(broker(context).await);
        match engines(context).await {
            Ok(engines) => components.extend(engines),
            Err(problem) => components.push(unhealthy("engines", problem.detail)),
        }
        match queues(context).await {
            Ok(queues) => components.extend(queues),
            Err(problem) => components.push(unhealthy("queues", problem.detail)),
        }
    }
    let is_bad = components.iter().any(|part| part.status == Verdict::Unhealthy);
    Health {
        status: if is_bad { Verdict::Unhealthy } else { Verdict::Healthy },
        timestamp: context.now().into(),
        worker_name: context.options().name.clone(),
        components,
    }
}

async fn store(context: &Context) -> Component {
    let ping = context.meters().ping(&*context.backend().records);
    match tokio::time::timeout(STORE_WAIT_MAX, ping).await {
        Ok(Ok((read, written))) => {
            let (read, written) = (read.as_secs_f64() * 1e3, written.as_secs_f64() * 1e3);
            healthy("store", format!("it read in {read:.1} ms and wrote in {written:.1} ms"))
        }
        Ok(Err(error)) => unhealthy("store", error.to_string()),
        Err(_) => unhealthy("store", format!("no answer in {} s", STORE_WAIT_MAX.as_secs())),
    }
}

/// The broker, where queues are apart from the store. What is wrong with the depths themselves is
/// told of the queues.
async fn broker(context: &Context) -> Option<Component> {
    context.backend().books.as_ref()?;
    Some(match context.unreached_broker().await.ok()? {
        None => healthy("broker", "it told how much waits in its queues"),
        Some(why) => unhealthy("broker", why),
    })
}

/// The engines of the hosts: whether somebody works in each worker's place.
async fn engines(context: &Context) -> Result<Vec<Component>, Problem> {
    let engines = context.client().engines().await?;
    Ok(engines.iter().map(judge_engine).collect())
}

/// Whether the workers of a host go on.
fn judge_engine(engine: &EngineStatus) -> Component {
    let name = format!("engine/{}", engine.engine_id);
    let in_state = |state: SlotState| engine.workers.iter().filter(move |one| one.state == state);
    let told = |worker: &WorkerStatus| {
        let why = worker.last_end.as_ref().map_or("", |end| &end.reason);
        format!("{}: {why}", worker.assignment)
    };
    let lost: Vec<_> = in_state(SlotState::GivenUp).map(told).collect();
    if !lost.is_empty() {
        return unhealthy(&name, format!("workers are given up: {}", lost.join("; ")));
    }
    let workers = engine.workers.len();
    let waiting: Vec<_> = in_state(SlotState::Waiting).map(told).collect();
    if waiting.len() == workers {
        return unhealthy(&name, format!("no worker works: {}", waiting.join("; ")));
    }
    match waiting.as_slice() {
        [] => healthy(&name, format!("{workers} workers go on")),
        waiting => healthy(&name, format!("started again soon: {}", waiting.join("; "))),
    }
}

async fn queues(context: &Context) -> Result<Vec<Component>, Problem> {
    let queues = crate::routes::queues(context).await?;
    let (minutes, now) = (context.minutes().await?, context.now());
    Ok(queues.iter().map(|queue| warn(queue, judge(queue, &minutes, now))).collect())
}

/// Nothing limits the priority lane, so it is watched.
fn warn(queue: &Queue, judged: Component) -> Component {
    match queue.alarm() {
        Some(alarm) if judged.status == Verdict::Healthy => {
            let reason = format!("{alarm}; {}", judged.reason);
            Component { status: Verdict::Warning, reason, ..judged }
        }
        _ => judged,
    }
}

/// Whether a queue goes on, by what waits in it and what began of late.
fn judge(queue: &Queue, minutes: &[Statistic], now: Timestamp) -> Component {
    let name = format!("queue/{}", queue.queue);
    if queue.ready == 0 {
        let reason = match (queue.in_flight, queue.delayed) {
            (0, 0) => "idle: nothing waits and nothing runs".to_owned(),
            (0, some) => format!("nothing is due and nothing runs, {some} held back"),
            (some, _) => format!("nothing waits, {some} in hand"),
        };
        return healthy(&name, reason);
    }
    if let Some(pause) = queue.pauses.iter().find(|pause| pause.is_pause()) {
        let reason = format!("{} wait: {} paused {}", queue.ready, pause.by, pause.target);
        return healthy(&name, reason);
    }
    let began = began_lately(queue, minutes, now);
    let age = queue.oldest_age_ms.map(Duration::from_millis);
    let since = age.map_or_else(
        || "nobody knows since when".to_owned(),
        |age| format!("the oldest for {} s", age.as_secs()),
    );
    let waits = format!("{} wait, {since}", queue.ready);
    if began > 0 {
        return healthy(&name, format!("{waits}; {began} began in the last 5 minutes"));
    }
    // What somebody has in hand who tells of himself no more is no progress.
    if queue.in_flight > 0 && queue.workers > 0 {
        return healthy(&name, format!("{waits}; {} in hand", queue.in_flight));
    }
    // A broker need not say since when: then it is enough that somebody is there to take it.
    if age.is_some_and(|age| age < PATIENCE) || (age.is_none() && queue.workers > 0) {
        return healthy(&name, format!("{waits}; none of them is late yet"));
    }
    let who = match queue.workers {
        0 => "no worker that serves it told of itself".to_owned(),
        some => format!("{some} workers serve it"),
    };
    unhealthy(&name, format!("{waits}; nothing began in the last 5 minutes, and {who}"))
}

/// How many attempts began of those that come from this queue.
fn began_lately(queue: &Queue, minutes: &[Statistic], now: Timestamp) -> u64 {
    let from = waystation_core::statistics::minute(now.minus(LATELY));
    let began = minutes.iter().filter(|one| {
        one.minute >= from
            && one.key.measure == Measure::Started
            && queue.stages.iter().any(|reader| {
                reader.pipeline == one.key.pipeline.as_str()
                    && reader.stage == one.key.stage.as_str()
            })
    });
    began.map(|one| one.sum.count).sum()
}

fn healthy(name: &str, reason: impl Into<String>) -> Component {
    Component { name: name.to_owned(), status: Verdict::Healthy, reason: reason.into() }
}

fn unhealthy(name: &str, reason: impl Into<String>) -> Component {
    Component { name: name.to_owned(), status: Verdict::Unhealthy, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use waystation_core::statistics::{Key, Sum};
    use waystation_engine::Role;
    use waystation_engine::supervisor::{Assignment, End};

    use super::*;
    use crate::wire::{Pause, PauseMode, QueueReader};

    const NOW: Timestamp = Timestamp(600_000_000);

    fn queue(ready: u64, age_ms: u64) -> Queue {
        Queue {
            queue: "p.s".into(),
            stages: vec![QueueReader { pipeline: "p".into(), stage: "s".into() }],
            ready,
            priority: 0,
            priority_alarm: Some(100),
            delayed: 0,
            behind: 0,
            in_flight: 0,
            oldest_at: None,
            oldest_age_ms: Some(age_ms),
            pauses: Vec::new(),
            workers: 0,
        }
    }

    fn check(queue: &Queue, minutes: &[Statistic], verdict: Verdict, words: &str) {
        let told = judge(queue, minutes, NOW);
        assert_eq!(told.status, verdict, "{}", told.reason);
        assert!(told.reason.contains(words), "{}", told.reason);
    }

    fn worker(index: usize, state: SlotState, reason: Option<&str>) -> WorkerStatus {
        let assignment = Assignment { role: Role::Processing, index };
        WorkerStatus {
            last_end: reason.map(|reason| End { reason: reason.to_owned(), at: NOW }),
            ..WorkerStatus::new(assignment, state, NOW)
        }
    }

    #[test]
    fn engines_are_healthy_while_somebody_works() {
        let engine = |workers| EngineStatus {
            engine_id: "e".into(),
            host: "h".into(),
            pid: 1,
            version: "1".into(),
            in_process: false,
            started_at: NOW,
            told_at: NOW,
            draining: false,
            workers,
        };
        let (runs, waits) = (SlotState::Running, SlotState::Waiting);
        for (workers, verdict, words) in [
            (
                vec![worker(0, runs, None), worker(1, runs, None)],
                Verdict::Healthy,
                "2 workers go on",
            ),
            (
                vec![worker(0, runs, None), worker(1, waits, Some("exit code 3"))],
                Verdict::Healthy,
                "started again soon: processing-1: exit code 3",
            ),
            (vec![worker(0, waits, Some("signal 6"))], Verdict::Unhealthy, "no worker works"),
            (
                vec![worker(0, runs, None), worker(1, SlotState::GivenUp, Some("signal 6"))],
                Verdict::Unhealthy,
                "workers are given up: processing-1: signal 6",
            ),
        ] {
            let told = judge_engine(&engine(workers));
            assert_eq!(told.status, verdict, "{}", told.reason);
            assert!(told.reason.contains(words), "{}", told.reason);
        }
    }

    #[test]
    fn priority_lane_that_is_too_deep_is_warned_of() {
        let deep = |priority| Queue { priority, ..queue(500, 10_000) };
        let told = |queue: Queue| warn(&queue, judge(&queue, &[], NOW));
        assert_eq!(told(deep(100)).status, Verdict::Healthy);
        let warned = told(deep(101));
        assert_eq!(warned.status, Verdict::Warning);
        let why = "101 of priority wait, more than the 100 of priority_alarm; 500 wait";
        assert!(warned.reason.starts_with(why), "{}", warned.reason);
        assert_eq!(told(Queue { priority_alarm: None, ..deep(101) }).status, Verdict::Healthy);
        let late = Queue { priority: 101, ..queue(500, 90_000) };
        assert_eq!(told(late).status, Verdict::Unhealthy);
    }

    #[test]
    fn queues_are_healthy_while_they_go_on_or_have_nothing_to_do() {
        check(&queue(0, 0), &[], Verdict::Healthy, "idle");
        check(&Queue { delayed: 2, ..queue(0, 0) }, &[], Verdict::Healthy, "2 held back");
        check(&queue(3, 10_000), &[], Verdict::Healthy, "none of them is late");
        check(&queue(3, 90_000), &[], Verdict::Unhealthy, "3 wait, the oldest for 90 s; nothing");
        let held = Queue { in_flight: 1, ..queue(3, 90_000) };
        check(&Queue { workers: 1, ..held.clone() }, &[], Verdict::Healthy, "1 in hand");
        check(&held, &[], Verdict::Unhealthy, "no worker that serves it");
        let undated = Queue { oldest_age_ms: None, ..queue(3, 0) };
        check(&undated, &[], Verdict::Unhealthy, "3 wait, nobody knows since when; nothing began");
        check(&Queue { workers: 2, ..undated }, &[], Verdict::Healthy, "none of them is late");
        let key =
            Key { pipeline: "p".into(), stage: "s".into(), measure: Measure::Started, bucket: 1 };
        let sum = Sum { count: 7, total_ms: 0 };
        let began = |minute| Statistic { minute, key: key.clone(), sum };
        let (late, lately) = (NOW.minus(LATELY * 3), NOW.minus(LATELY / 2));
        check(&queue(3, 90_000), &[began(lately)], Verdict::Healthy, "7 began");
        check(&queue(3, 90_000), &[began(late)], Verdict::Unhealthy, "nothing began");
        let pause = Pause {
            target: "queue/p.s".into(),
            mode: PauseMode::Pause,
            by: "ann".into(),
            reason: "x".into(),
            at: NOW.into(),
        };
        let paused = Queue { pauses: vec![pause.clone()], ..queue(3, 90_000) };
        check(&paused, &[], Verdict::Healthy, "ann paused queue/p.s");
        let drained = Pause { mode: PauseMode::Drain, ..pause };
        let drained = Queue { pauses: vec![drained], ..queue(3, 90_000) };
        check(&drained, &[], Verdict::Unhealthy, "no worker");
    }
}
