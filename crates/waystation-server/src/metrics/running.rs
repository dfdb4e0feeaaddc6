//! Queues, workers and pauses, as they are now.

use prometheus::proto::MetricFamily;
use waystation_core::clock::Timestamp;
use waystation_core::id::QueueName;
use waystation_core::port::Depth;
use waystation_engine::control::{Mode, Pause, WorkerKind, WorkerPresence};

use super::family::Family;

/// How much waits in each queue, and how long.
pub fn queues(depths: &[(QueueName, Depth)], now: Timestamp) -> Vec<MetricFamily> {
    let help = "Messages in a queue: deliverable now, held back until a time, behind another one \
                of their key, or out under a lease.";
    let mut messages = Family::gauge("waystation_queue_messages", help);
    let help = "Deliverable messages of a queue that have a priority above 0.";
    let mut urgent = Family::gauge("waystation_queue_priority_messages", help);
    let help = "Age of the oldest deliverable message of a queue; 0 where there is none.";
    let mut oldest = Family::gauge("waystation_queue_oldest_seconds", help);
    for (queue, depth) in depths {
        let queue = queue.as_str();
        for (state, count) in [
            ("ready", depth.ready),
            ("delayed", depth.delayed),
            ("behind", depth.behind),
            ("leased", depth.leased),
        ] {
            messages.add([("queue", queue), ("state", state)], count as f64);
        }
        urgent.add([("queue", queue)], depth.priority as f64);
        // A broker need not say since when it has something.
        let age = match depth.oldest {
            None if depth.ready > 0 => continue,
            age => age.map_or(0.0, |oldest| now.since(oldest).as_secs_f64()),
        };
        oldest.add([("queue", queue)], age);
    }
    [messages.done(), urgent.done(), oldest.done()].into_iter().flatten().collect()
}

/// Who works, and at how much.
pub fn workers(workers: &[WorkerPresence]) -> Vec<MetricFamily> {
    let mut there = Family::gauge("waystation_workers", "Workers that told of themselves lately.");
    for (kind, name) in [(WorkerKind::Engine, "engine"), (WorkerKind::Remote, "remote")] {
        let count = workers.iter().filter(|worker| worker.kind == kind).count();
        there.add([("kind", name)], count as f64);
    }
    let mut in_hand = Family::gauge("waystation_worker_jobs", "Jobs that a worker has in hand.");
    let help = "Deliveries that a worker settled since it began.";
    let mut settled = Family::counter("waystation_worker_settled_total", help);
    let help = "Batches in which a worker settled them: those of one share a commit.";
    let mut batches = Family::counter("waystation_worker_settled_batches_total", help);
    for worker in workers {
        let labels = [("worker", worker.worker_id.as_str())];
        in_hand.add(labels, worker.in_flight as f64);
        settled.add(labels, worker.settled as f64);
        batches.add(labels, worker.settled_batches as f64);
    }
    [there.done(), in_hand.done(), settled.done(), batches.done()].into_iter().flatten().collect()
}

/// What somebody paused or drains.
pub fn pauses(pauses: &[Pause]) -> Option<MetricFamily> {
    let help = "1 for each pipeline, stage and queue that is paused or drained.";
    let mut paused = Family::gauge("waystation_paused", help);
    for pause in pauses {
        let mode = if pause.mode == Mode::Drain { "drain" } else { "pause" };
        paused.add([("target", pause.target.to_string().as_str()), ("mode", mode)], 1.0);
    }
    paused.done()
}
