//! The queue port.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use waystation_core::id::QueueName;
use waystation_core::job::Checkpoint;
use waystation_core::journal::{self, Entry};
use waystation_core::port::{
    Capabilities, Depth, Error, Extended, Parted, Parts, Queue, RECEIVE_MAX, Receive, check_batch,
    check_jobs, check_settlements,
};
use waystation_core::settlement::{Delivery, Lease, NewJob, Settled, Settlement, Start, Submitted};

use crate::RabbitMq;
use crate::line::{Receipt, Want};
use crate::options::Declare;
use crate::publisher::{self, Outgoing};
use crate::settle::outgoing;
use crate::topology::{PartLane, QueueKey, Role, delays, key_delays, parts};

#[async_trait]
impl Queue for RabbitMq {
    fn capabilities(&self) -> Capabilities {
        let options = self.shared.link.options();
        // Lanes and delays are queues of their own.
        let makes_queues = options.declare == Declare::Create;
        Capabilities {
            delay: makes_queues,
            priority: makes_queues,
            // So do partitions, which have an exchange besides.
            keys: makes_queues,
            partitions: makes_queues,
            atomic_settlement: false,
            durable: true,
            payload_bytes_max: options.payload_bytes_max,
        }
    }

    async fn submit(
        &self,
        jobs: Vec<NewJob>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Vec<Submitted>, Error> {
        check_jobs(&jobs, self.shared.link.options().payload_bytes_max)?;
        if checkpoint.is_some() {
            let message = "a broker keeps no checkpoints (hint: sources need a store beside it)";
            let name = self.shared.link.name().to_owned();
            return Err(Error::Broken { name, message: message.to_owned() });
        }
        let now = self.shared.clock.now();
        let mut messages: Vec<_> = jobs
            .iter()
            .filter_map(|job| match &job.start {
                Start::Queue(message) => Some(outgoing(message, now)),
                Start::Inbox(_) => None,
            })
            .collect();
        let firsts = publisher::firsts_first(&mut messages, Outgoing::key);
        for part in [&messages[..firsts], &messages[firsts..]] {
            publisher::publish(&self.shared.link, part, now).await?;
        }
        self.write_events(jobs.iter().flat_map(journal::encode_created).collect()).await?;
        Ok(jobs.into_iter().map(|job| Submitted::Created(job.job_id)).collect())
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Delivery>, Error> {
        let max = request.max.min(RECEIVE_MAX);
        if max == 0 {
            return Ok(Vec::new());
        }
        let want = Want { max, together: request.together.max(1), wait: request.wait };
        let taken = self.lines(&request.queue).take(&want).await;
        let deliver = |(receipt, fetched): (Receipt, crate::line::Fetched)| Delivery {
            lease: Lease {
                queue: request.queue.clone(),
                delivery_id: receipt.tag as i64,
                token: receipt.epoch,
            },
            body: fetched.body,
            priority: fetched.priority,
            key: fetched.key,
            deliveries: fetched.deliveries,
            enqueued_at: fetched.enqueued_at.unwrap_or_else(|| self.shared.clock.now()),
        };
        Ok(taken.into_iter().map(deliver).collect())
    }

    /// The broker keeps a delivery with us for as long as the channel lives.
    async fn extend(&self, leases: Vec<Lease>, _lease: Duration) -> Result<Vec<Extended>, Error> {
        check_batch(leases.len())?;
        let held = |lease: &Lease| {
            let receipt = Receipt::of(lease);
            self.line_of(&lease.queue, receipt).is_some_and(|line| line.holds(receipt))
        };
        let answer = |lease| if held(lease) { Extended::Held } else { Extended::Lost };
        Ok(leases.iter().map(answer).collect())
    }

    async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, Error> {
        check_settlements(&settlements, self.shared.link.options().payload_bytes_max)?;
        self.settle_all(&settlements).await
    }

    async fn began(&self, entry: Entry) -> Result<(), Error> {
        self.write_events(journal::encode(&entry)).await
    }

    async fn leave(&self, queue: &QueueName) -> Result<(), Error> {
        if let Some(lines) = self.known_lines(queue) {
            lines.leave().await;
        }
        Ok(())
    }

    /// Without it the broker would leave them with us for as long as the channel lives.
    async fn abandon(&self, leases: &[Lease]) -> Result<(), Error> {
        for lease in leases {
            let receipt = Receipt::of(lease);
            if let Some(line) = self.line_of(&lease.queue, receipt) {
                line.put_back(receipt).await;
            }
        }
        Ok(())
    }

    /// What is leased is what this process has: the broker tells nobody else's. So is what is held
    /// back, unless it came from here.
    async fn depth(&self, queue: &QueueName) -> Result<Depth, Error> {
        let base = queue.as_str();
        let mut depth = Depth::default();
        for role in [Role::Work, Role::Priority] {
            let waiting = self.messages_in(QueueKey::of(base, role)).await?;
            depth.ready += waiting;
            depth.priority += if role == Role::Priority { waiting } else { 0 };
        }
        let held_back: Vec<_> = {
            let session = self.shared.link.session().await?;
            let declared = session.declared.lock().await;
            let keys = delays().chain(key_delays()).map(|role| QueueKey::of(base, role));
            keys.filter(|key| declared.contains(key)).collect()
        };
        for key in held_back {
            depth.delayed += self.messages_in(key).await?;
        }
        if let Some(lines) = self.known_lines(queue) {
            for role in lines.told().iter().flat_map(parts) {
                let waiting = self.messages_in(QueueKey::of(base, role)).await?;
                let is_urgent = matches!(role, Role::Part(part) if part.lane == PartLane::Priority);
                depth.priority += if is_urgent { waiting } else { 0 };
                *(if role.keeps_place() { &mut depth.delayed } else { &mut depth.ready }) +=
                    waiting;
            }
            let lines = lines.all();
            depth.leased = lines.iter().map(|line| line.out()).sum();
            depth.behind = lines.iter().map(|line| line.behind()).sum();
        }
        Ok(depth)
    }

    async fn make_room(&self, queue: &QueueName, out: usize) -> Result<(), Error> {
        self.lines(queue).plain().make_room(out);
        Ok(())
    }

    async fn part(&self, queue: &QueueName, parts: &Parts) -> Result<Parted, Error> {
        self.part_queue(queue, parts).await
    }
}

/// How long is believed that a queue is not there: brokers write each look at one into their logs.
const ABSENT_FOR: Duration = Duration::from_secs(30);
/// The most queues of which that is remembered.
const ABSENT_MAX: usize = 10_000;

impl RabbitMq {
    /// How many messages wait in a queue of the broker; none when there is no such queue.
    async fn messages_in(&self, key: QueueKey) -> Result<u64, Error> {
        let link = &self.shared.link;
        let session = link.session().await?;
        let is_declared = session.declared.lock().await.contains(&key);
        let absent = || self.shared.absent.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_declared && absent().get(&key).is_some_and(|at| at.elapsed() < ABSENT_FOR) {
            return Ok(0);
        }
        let found = publisher::look(link, &session, &key).await?;
        let mut absent = absent();
        let Some(found) = found else {
            if absent.len() >= ABSENT_MAX {
                absent.clear();
            }
            absent.insert(key, Instant::now());
            return Ok(0);
        };
        absent.remove(&key);
        Ok(u64::from(found.messages))
    }
}
