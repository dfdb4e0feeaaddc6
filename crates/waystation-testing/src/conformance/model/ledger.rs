//! The steps of a courier, of a broker's workers and of the tracker, where both backends are
//! ledgers. What is written into the journal is the same for both.

use waystation_core::journal::{Change, Entry};
use waystation_core::settlement::{Delivery, Lease, Next};

use super::ends::{End, shape};
use super::world::{World, agree};
use crate::sample;

/// How many deliveries of the broker are remembered; the oldest are forgotten first.
const BROKER_MAX: usize = 40;

impl World {
    /// Takes a random step with the broker.
    pub async fn step_on_broker(&mut self) {
        if self.subject.ledger.is_none() || self.reference.ledger.is_none() {
            return;
        }
        if self.chance(40) { self.hand_over().await } else { self.tell_journal().await }
    }

    /// Compares which jobs are to be aborted on the broker.
    pub async fn look_at_marks(&mut self) {
        if let (Some(subject), Some(reference)) = (&self.subject.ledger, &self.reference.ledger) {
            agree(subject.abort_marks(None, 100), reference.abort_marks(None, 100)).await;
        }
    }

    async fn hand_over(&mut self) {
        if self.deliveries.is_empty() {
            return;
        }
        let reach = self.pick(&[2, 4, 40]).min(self.deliveries.len());
        let index = self.deliveries.len() - 1 - self.random.usize(..reach);
        let (subject, reference) = self.deliveries[index].clone();
        self.tell(format!("hand over {reference:?}"));
        let settled = agree(
            self.subject.queue.settle([sample::end(&subject).hand_over()].into()),
            self.reference.queue.settle([sample::end(&reference).hand_over()].into()),
        );
        settled.await;
        // The broker has it also when the courier came too late to say so.
        self.publish(reference);
    }

    /// Tells both the same of what workers on the broker did, of what was told before as well.
    async fn tell_journal(&mut self) {
        if self.broker.is_empty() {
            return;
        }
        let mut entries = Vec::new();
        for _ in 0..self.random.usize(1..=4) {
            let reach = self.pick(&[2, 4, 40]).min(self.broker.len());
            let delivery = self.broker[self.broker.len() - 1 - self.random.usize(..reach)].clone();
            if self.chance(30) {
                entries.push(sample::running(&delivery, self.now()));
                continue;
            }
            let end = End::of_delivery(self);
            let entry = sample::journal(&shape(sample::end(&delivery), &end));
            self.publish_what_follows(&entry);
            entries.push(entry);
        }
        if self.chance(30) {
            entries.extend(self.told.iter().cloned());
        }
        self.tell(format!("project {entries:?}"));
        self.told = entries.clone();
        self.told.truncate(BROKER_MAX);
        if let (Some(subject), Some(reference)) = (&self.subject.ledger, &self.reference.ledger) {
            let subject = subject.project(entries.clone().into());
            agree(subject, reference.project(entries.into())).await;
        }
    }

    fn publish_what_follows(&mut self, entry: &Entry) {
        if let Change::Landed { next: Next::Enqueue(message), .. } = &entry.change {
            let lease = Lease { queue: message.queue.clone(), delivery_id: 0, token: 0 };
            let body = message.body.clone();
            self.publish(Delivery { lease, body, ..sample::on_broker(sample::STAGE, b"") });
        }
    }

    fn publish(&mut self, delivery: Delivery) {
        self.broker.push(delivery);
        let surplus = self.broker.len().saturating_sub(BROKER_MAX);
        self.broker.drain(..surplus);
    }
}
