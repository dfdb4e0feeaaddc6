//! Random journals, told in any order.

use std::time::Duration;

use waystation_core::contract::Contract;
use waystation_core::event::EventKind;
use waystation_core::job::JobRecord;
use waystation_core::journal::{Change, Entry};
use waystation_core::settlement::{Delivery, Next};

use super::{at, forwarded, submit_and_hand_over};
use crate::conformance::{Backend, Harness, bounded};
use crate::sample;

/// How many journals one run of the case tells.
const JOURNALS: u64 = 60;
/// The most stage runs of a journal.
const VISITS_MAX: usize = 5;

/// However the entries of a journal are mixed, repeated and cut into batches: once all were told,
/// the job is where the true order had it, the same events are known, and as many tasks and
/// letters are there.
///
/// It holds for journals whose last entry says where the job is. Whether a worker has it at this
/// moment is told again when the attempt ends, and is not promised before.
pub async fn journals_in_any_order_end_the_same(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    for seed in 0..JOURNALS {
        let mut random = fastrand::Rng::with_seed(seed);
        let counted = random.u8(..4) > 0;
        let (one, other) = (format!("true-{seed}"), format!("mixed-{seed}"));
        let known = random.bool();
        if known {
            submit_and_hand_over(&backend, &one).await;
            submit_and_hand_over(&backend, &other).await;
        }
        let first = |id: &str| Delivery { lease: lease(), ..sample::on_broker("first", &body(id)) };
        let shape = random.u64(..);
        let told = write(fastrand::Rng::with_seed(shape), first(&one), counted);
        let mut mixed = write(fastrand::Rng::with_seed(shape), first(&other), counted);
        for entry in &told {
            backend.project(vec![entry.clone()]).await;
        }
        for _ in 0..random.usize(..4) {
            let again = random.choice(&mixed).expect("a journal is not empty").clone();
            mixed.push(again);
        }
        match random.u8(..3) {
            0 => {}
            1 => random.shuffle(&mut mixed),
            _ => mixed.reverse(),
        }
        for batch in mixed.chunks(random.usize(1..=mixed.len())) {
            backend.project(batch.to_vec()).await;
        }
        let (truth, result) = (tell(&backend, &one).await, tell(&backend, &other).await);
        let order: Vec<String> = mixed.iter().map(name).collect();
        assert_eq!(result, truth, "seed {seed}, told as {order:#?}");
    }
}

fn lease() -> waystation_core::settlement::Lease {
    sample::on_broker("first", b"").lease
}

fn body(job_id: &str) -> Vec<u8> {
    let mut contract = Contract::parse(&sample::body(job_id)).expect("it is a contract");
    contract.params.insert("kept".to_owned(), true.into());
    contract.to_bytes()
}

/// All that is to be seen of a job, but for its id and when it was first heard of.
async fn tell(backend: &Backend, job_id: &str) -> (JobRecord, Vec<String>, usize, usize) {
    let mut job = backend.job(job_id).await;
    job.body = String::from_utf8_lossy(&job.body).replace(job_id, "a").into_bytes();
    job.job_id = "a".into();
    job.created_at = at(0);
    let events = bounded(backend.store.events(&job_id.into())).await.expect("they are listed");
    let mut keys: Vec<String> = events
        .iter()
        .filter(|event| event.kind != EventKind::Created)
        .map(|event| format!("{} {} {} {}", event.stage, event.visit, event.attempt, event.kind))
        .collect();
    keys.sort_unstable();
    let tasks = backend.tasks().await;
    let tasks = tasks.iter().filter(|task| task.job_id.as_str() == job_id).count();
    (job, keys, tasks, backend.letters(job_id).await.len())
}

/// The journal of a job from this delivery on, in its true order. Where stages do not count their
/// runs, each has another name.
fn write(mut random: fastrand::Rng, first: Delivery, counted: bool) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut delivery = first;
    let mut second = 0;
    let visits = random.usize(1..=VISITS_MAX);
    for visit in 0..visits {
        let last = visit + 1 == visits;
        loop {
            second += 1 + random.u64(..3);
            let begun = sample::running(&delivery, at(second));
            if random.u8(..10) > 0 {
                entries.push(told_by(begun.clone(), counted));
            }
            second += 1;
            let end = sample::end(&delivery).happening_at(at(second)).param("at", second);
            let later = at(second).plus(Duration::from_mins(1));
            let settlement = match random.u8(..10) {
                0 => end.retry_at(later),
                1 => end.postpone_to(later),
                2 => end.hand_back(),
                _ if !last => {
                    let next = if counted {
                        ["first", "second", "third"][random.usize(..3)].to_owned()
                    } else {
                        format!("stage-{visit}")
                    };
                    end.forward_to(&next)
                }
                3 => end.retry_at(later),
                4 => end.postpone_to(later),
                5 => end.park_at("review"),
                6 => end.fail("no such page"),
                7 => end.forward_to("fourth"),
                _ => end.complete(),
            };
            let mut entry = sample::journal(&settlement);
            // As a worker tells it: from the attempt's beginning to its end.
            entry.events.splice(..0, begun.events);
            entry.step.at = begun.step.at;
            let entry = told_by(entry, counted);
            entries.push(entry.clone());
            let Change::Landed { next, stage, .. } = &entry.change else { break };
            match next {
                Next::Enqueue(_) => {
                    let here = *stage == entry.step.stage;
                    delivery = forwarded(&entry);
                    if !here || counts_on(&entry) {
                        break;
                    }
                    if last && random.bool() {
                        return entries;
                    }
                }
                Next::HandBack => {}
                _ => return entries,
            }
        }
    }
    entries
}

fn name(entry: &Entry) -> String {
    let last = entry.events.last().map_or("", |event| event.kind.as_str());
    let (step, at) = (&entry.step, entry.told_at());
    format!("{last} {} {:?} {} at {at}", step.stage, step.visit, step.attempt)
}

/// Whether the entry takes its job into another stage run.
fn counts_on(entry: &Entry) -> bool {
    let Change::Landed { next: Next::Enqueue(message), .. } = &entry.change else { return false };
    let contract = Contract::parse(&message.body).expect("it is a contract");
    Some(contract.visit) != entry.step.visit
}

/// The entry as it is, or as one tells it that does not count stage runs.
fn told_by(mut entry: Entry, counted: bool) -> Entry {
    if counted {
        return entry;
    }
    entry = entry.in_visit(1);
    if let Change::Landed { next, .. } = &mut entry.change {
        let body = match next {
            Next::Enqueue(message) => &mut message.body,
            Next::Park(task) => &mut task.body,
            Next::End { body, .. } => body,
            _ => return entry,
        };
        let mut contract = Contract::parse(body).expect("it is a contract");
        contract.visit = 1;
        *body = contract.to_bytes();
    }
    entry
}
