//! The steps that change something.

use std::time::Duration;

use serde_json::json;
use waystation_core::job::Checkpoint;
use waystation_core::port::{Purpose, Receive, TaskChange, TaskChanged};
use waystation_core::settlement::{Delivery, NewJob, OnDuplicate};

use super::ends::{End, shape};
use super::world::{KEYS, STAGES, World, agree, agree_but_for, remember};
use crate::conformance::LEASE;
use crate::sample;

const PIPELINES: [&str; 3] = [sample::PIPELINE, sample::PIPELINE, "others"];
const POLICIES: [OnDuplicate; 3] =
    [OnDuplicate::Reject, OnDuplicate::ReturnExisting, OnDuplicate::Replace];

impl World {
    /// Takes one random step.
    pub async fn step(&mut self) {
        match self.random.u32(..100) {
            0..16 => self.submit().await,
            16..34 => {
                let stage = self.pick(&STAGES);
                self.receive(stage).await;
            }
            34..54 => self.settle_deliveries().await,
            54..60 => self.settle_tasks().await,
            60..66 => self.settle_letters().await,
            66..70 => self.extend().await,
            70..75 => self.abort().await,
            75..80 => self.pass_time().await,
            80..82 => self.put_pipeline().await,
            82..84 => self.change_task().await,
            84..89 => self.look().await,
            _ => self.step_on_broker().await,
        }
    }

    async fn submit(&mut self) {
        let count = self.random.usize(1..=4);
        let jobs: Vec<NewJob> = (0..count).map(|_| self.new_job()).collect();
        let checkpoint = self
            .chance(30)
            .then(|| Checkpoint::new("samples/find", json!({ "seen": self.job_ids.len() })));
        self.tell(format!("submit {jobs:?} with {checkpoint:?}"));
        let subject = self.subject.queue.submit(jobs.clone(), checkpoint.clone());
        agree(subject, self.reference.queue.submit(jobs, checkpoint)).await;
    }

    fn new_job(&mut self) -> NewJob {
        let number = self.job_ids.len();
        // Ids do not grow, so that no backend may take their order for that of creation.
        let fresh = format!("job-{:04}", (number * 7_919) % 10_000);
        let (job_id, again) = if self.chance(8) { (self.some_job(), true) } else { (fresh, false) };
        let mut job = sample::job(&job_id)
            .of(self.pick(&PIPELINES))
            .version(self.random.u32(1..=3))
            .param("number", number);
        job = match self.random.u32(..10) {
            0..2 => job.waiting_at("review"),
            _ => job.at(self.pick(&STAGES)).priority(self.pick(&[0, 0, 0, 5, -5])),
        };
        job = self.pick(&KEYS).into_iter().fold(job, sample::Sample::key);
        if self.chance(20) {
            let wait = Duration::from_secs(self.random.u64(..60));
            job = job.not_before(self.now().plus(wait));
        }
        // A job that exists keeps out of it: it is one by its id, and its key says nothing.
        if !again && self.chance(20) {
            let key = self.pick(&["red", "green", "blue", "white", "black"]);
            job = job.dedupe_key(key).on_duplicate(self.pick(&POLICIES));
        }
        if self.chance(2) {
            job = job.body(vec![b' '; self.payload_bytes_max + 1]);
        }
        if !self.job_ids.contains(&job_id) {
            self.job_ids.push(job_id);
        }
        job.build()
    }

    /// Receives from a stage of the sample pipeline, and from the same of the others. Tells how
    /// many deliveries that gave.
    pub async fn receive(&mut self, stage: &str) -> usize {
        let mut count = 0;
        let (max, together) = (self.random.usize(1..=4), self.pick(&[1, 3]));
        self.tell(format!("receive {max} from {stage}, {together} of a key"));
        for pipeline in ["samples", "others"] {
            let request = Receive {
                queue: format!("{pipeline}.{stage}").into(),
                max,
                wait: Duration::ZERO,
                lease: LEASE,
                purpose: Purpose::Work,
                together,
            };
            let received = agree_but_for(
                self.subject.queue.receive(request.clone()),
                self.reference.queue.receive(request),
                |deliveries| deliveries.iter_mut().for_each(blot_delivery),
            );
            if let Some(received) = received.await {
                count += received.1.len();
                remember(&mut self.deliveries, received);
            }
        }
        count
    }

    async fn settle_deliveries(&mut self) {
        if self.deliveries.is_empty() {
            return;
        }
        let mut settlements = (Vec::new(), Vec::new());
        for _ in 0..self.random.usize(1..=3) {
            // Mostly those that were handed out last: the others are ended by now.
            let reach = self.pick(&[4, 4, 4, 40]).min(self.deliveries.len());
            let index = self.deliveries.len() - 1 - self.random.usize(..reach);
            let end = End::of_delivery(self);
            let (subject, reference) = &self.deliveries[index];
            settlements.0.push(shape(sample::end(subject), &end));
            settlements.1.push(shape(sample::end(reference), &end));
        }
        self.tell(format!("settle {:?}", settlements.1));
        let subject = self.subject.queue.settle(settlements.0.into());
        agree(subject, self.reference.queue.settle(settlements.1.into())).await;
    }

    async fn settle_tasks(&mut self) {
        self.see_tasks().await;
        if self.tasks.is_empty() {
            return;
        }
        let index = self.random.usize(..self.tasks.len());
        let end = End::of_task(self);
        let (subject, reference) = &self.tasks[index];
        let settlements =
            (shape(sample::answer(subject), &end), shape(sample::answer(reference), &end));
        self.tell(format!("answer {:?}", settlements.1));
        let subject = self.subject.queue.settle([settlements.0].into());
        agree(subject, self.reference.queue.settle([settlements.1].into())).await;
    }

    async fn settle_letters(&mut self) {
        self.see_letters().await;
        if self.letters.is_empty() {
            return;
        }
        let index = self.random.usize(..self.letters.len());
        let drops = self.chance(30);
        let (subject, reference) = &self.letters[index];
        let [subject, reference] = [subject, reference].map(|letter| {
            let ending = sample::resolve(letter);
            if drops { ending.drop_letter() } else { ending.requeue() }
        });
        self.tell(format!("resolve {reference:?}"));
        let subject = self.subject.queue.settle([subject].into());
        agree(subject, self.reference.queue.settle([reference].into())).await;
    }

    async fn extend(&mut self) {
        let count = self.random.usize(..=3).min(self.deliveries.len());
        let start = self.random.usize(..=self.deliveries.len() - count);
        let chosen = &self.deliveries[start..start + count];
        let subject = chosen.iter().map(|pair| pair.0.lease.clone()).collect();
        let reference: Vec<_> = chosen.iter().map(|pair| pair.1.lease.clone()).collect();
        self.tell(format!("extend {reference:?}"));
        let subject = self.subject.queue.extend(subject, LEASE);
        agree(subject, self.reference.queue.extend(reference, LEASE)).await;
    }

    async fn abort(&mut self) {
        let job_id = self.some_job();
        let reason = self.pick(&["not wanted", "too old"]);
        self.tell(format!("abort {job_id}: {reason}"));
        let job_id = job_id.as_str().into();
        let subject = self.subject.store.abort(&job_id, reason);
        agree(subject, self.reference.store.abort(&job_id, reason)).await;
    }

    async fn pass_time(&mut self) {
        let by = self.pick(&[1, 500, 5_000, 29_999, 30_000, 61_000]);
        self.tell(format!("pass {by} ms"));
        self.advance(Duration::from_millis(by));
        for stage in STAGES {
            self.receive(stage).await;
        }
    }

    async fn change_task(&mut self) {
        self.see_tasks().await;
        if self.tasks.is_empty() {
            return;
        }
        let index = self.random.usize(..self.tasks.len());
        let by = self.pick(&["ann", "bob"]).to_owned();
        let moment = self.now().plus(Duration::from_millis(self.pick(&[0, 1_000, 30_000])));
        let change = match self.random.u32(..5) {
            0 | 1 => TaskChange::Claim { by, until: moment },
            2 => TaskChange::Release { by },
            3 => TaskChange::Assign { to: self.chance(50).then_some(by) },
            _ => TaskChange::Due(Some(moment)),
        };
        let (subject, reference) = (self.tasks[index].0.task_id, self.tasks[index].1.task_id);
        self.tell(format!("change task {reference}: {change:?}"));
        let pair = agree_but_for(
            self.subject.store.change_task(subject, change.clone()),
            self.reference.store.change_task(reference, change),
            |changed| match changed {
                TaskChanged::Done(task) | TaskChanged::Held(task) => task.task_id = 0,
                TaskChanged::Unknown => {}
            },
        );
        pair.await;
    }

    async fn put_pipeline(&mut self) {
        let source = self.pick(&["one", "two", "three"]);
        self.tell(format!("put pipeline {source}"));
        let name = sample::PIPELINE.into();
        let subject = self.subject.store.put_pipeline(&name, source);
        agree(subject, self.reference.store.put_pipeline(&name, source)).await;
    }
}

fn blot_delivery(delivery: &mut Delivery) {
    delivery.lease.delivery_id = 0;
    delivery.lease.token = 0;
}
