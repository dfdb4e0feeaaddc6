//! Parts a queue: its exchanges and partitions, and the way from one number of them to another.
//!
//! Contracts with keys are published to one exchange, whatever the partitions are. It leads to the
//! exchange of the current generation; when the number changes, it is led to the next one, and the
//! partitions of the former generation are worked off and deleted by their owners before anybody
//! takes from the current ones. So no publisher knows the number, and no key is in two places.

use lapin::options::{
    ExchangeBindOptions, ExchangeUnbindOptions, QueueBindOptions, QueueDeleteOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};
use waystation_core::id::QueueName;
use waystation_core::key::SLOTS;
use waystation_core::port::{Error, Generation, Parted, Parts};

use crate::RabbitMq;
use crate::error::explain_declare;
use crate::lines::Lines;
use crate::link::Session;
use crate::publisher::{self, durable_exchange};
use crate::topology::{Part, PartLane, QueueKey, Role, route};

const LANES: [PartLane; 3] = [PartLane::Retry, PartLane::Priority, PartLane::Normal];

impl RabbitMq {
    /// Sees to it that the queue is parted so, and takes what is this process's.
    pub(crate) async fn part_queue(
        &self,
        queue: &QueueName,
        parts: &Parts,
    ) -> Result<Parted, Error> {
        let lines = self.lines(queue);
        let _one_at_a_time = lines.parting.lock().await;
        let session = self.shared.link.session().await?;
        self.lead(&session, queue, parts).await?;
        if lines.told().as_ref() != Some(parts) {
            for line in lines.tell(parts) {
                // What is out of it ends first.
                line.leave().await;
            }
        }
        if parts.former.is_some() {
            self.work_off(&session, queue, &lines, parts.taken()).await?;
        }
        let owned = lines.owned().into_iter().filter(|(_, line)| line.owns());
        Ok(Parted {
            wanted: lines.plain().is_wanted(),
            owned: owned.map(|(number, _)| number).collect(),
            emptied: lines.emptied(),
        })
    }

    /// Leads what is published to the current generation, once a session.
    async fn lead(&self, session: &Session, queue: &QueueName, parts: &Parts) -> Result<(), Error> {
        let base = queue.as_str();
        let Generation { number, partitions } = parts.current;
        let current = QueueKey::of(base, Role::Generation(number));
        if session.declared.lock().await.contains(&current) {
            return Ok(());
        }
        let link = &self.shared.link;
        publisher::declare(link, session, &QueueKey::of(base, Role::Keys)).await?;
        for number_in in 0..partitions.get() {
            for lane in LANES {
                let part = Part { generation: number, number: number_in, lane };
                publisher::declare(link, session, &QueueKey::of(base, Role::Part(part))).await?;
            }
        }
        let channel = session.declaring_channel().await.map_err(|error| link.explain(&error))?;
        let leading = self.bind(&channel, base, parts);
        leading.await.map_err(|error| {
            explain_declare(link.name(), &format!("partitions of `{queue}`"), &error)
        })?;
        session.declared.lock().await.insert(current);
        Ok(())
    }

    async fn bind(&self, channel: &Channel, base: &str, parts: &Parts) -> lapin::Result<()> {
        let options = self.shared.link.options();
        let name = |role| QueueKey::of(base, role).name(options);
        let Generation { number: generation, partitions } = parts.current;
        let (keys, current) = (name(Role::Keys), name(Role::Generation(generation)));
        let none = FieldTable::default;
        let kind = ExchangeKind::Direct;
        channel.exchange_declare(current.clone(), kind, durable_exchange(), none()).await?;
        for slot in 0..SLOTS {
            let number = slot % partitions;
            for (lane, priority) in [(PartLane::Normal, 0), (PartLane::Priority, 1)] {
                let part = name(Role::Part(Part { generation, number, lane }));
                let (slot, bind) = (route(slot, priority), QueueBindOptions::default());
                channel.queue_bind(part, current.clone(), slot, bind, none()).await?;
            }
        }
        let any = ShortString::default();
        let bind = ExchangeBindOptions::default();
        channel.exchange_bind(current, keys.clone(), any.clone(), bind, none()).await?;
        if let Some(former) = parts.former {
            // After the other one: what comes in between is in both, so that it is met twice in its
            // order. In neither, it would be published again behind what comes after it.
            let former = name(Role::Generation(former.number));
            let unbind = ExchangeUnbindOptions::default();
            channel.exchange_unbind(former, keys, any, unbind, none()).await?;
        } else if let Some(former) = generation.checked_sub(1) {
            // Should a process that heard of the change late have led it there again.
            let (former, delete) = (name(Role::Generation(former)), <_>::default());
            channel.exchange_delete(former, delete).await?;
        }
        channel.close(200, "done".into()).await
    }

    /// Deletes the partitions of a former generation that are this process's and hold nothing more.
    async fn work_off(
        &self,
        session: &Session,
        queue: &QueueName,
        lines: &Lines,
        former: Generation,
    ) -> Result<(), Error> {
        for (number, line) in lines.owned() {
            let generation = former.number;
            let part =
                |lane| QueueKey::of(queue.as_str(), Role::Part(Part { generation, number, lane }));
            let found = self.look_at(session, LANES.map(part)).await?;
            match found {
                // Deleted by an owner before us.
                Found::Gone => lines.note_emptied(number),
                Found::Empty { consumed: false } if lines.rests(number) => {
                    // In this order: nothing but what is out of the others can come to retries.
                    self.delete(session, &[part(PartLane::Normal), part(PartLane::Priority)])
                        .await?;
                    let retries = [part(PartLane::Retry)];
                    let last = self.look_at(session, retries.clone()).await?;
                    if matches!(last, Found::Empty { consumed: false }) {
                        self.delete(session, &retries).await?;
                        lines.note_emptied(number);
                    }
                }
                // What is on its way to us is not told: whether nothing is, is seen without us.
                Found::Empty { .. } if line.owns() && line.has_nothing() => {
                    lines.rest(number);
                    line.leave().await;
                }
                Found::Empty { .. } => {}
                Found::Filled => lines.wake(number),
            }
        }
        Ok(())
    }

    async fn look_at<const N: usize>(
        &self,
        session: &Session,
        keys: [QueueKey; N],
    ) -> Result<Found, Error> {
        let (mut is_there, mut consumed) = (false, false);
        for key in keys {
            let found = publisher::look(&self.shared.link, session, &key).await?;
            let Some(found) = found else { continue };
            if found.messages > 0 {
                return Ok(Found::Filled);
            }
            is_there = true;
            consumed |= found.consumers > 0;
        }
        Ok(if is_there { Found::Empty { consumed } } else { Found::Gone })
    }

    async fn delete(&self, session: &Session, keys: &[QueueKey]) -> Result<(), Error> {
        let link = &self.shared.link;
        for key in keys {
            let name = key.name(link.options());
            let channel =
                session.declaring_channel().await.map_err(|error| link.explain(&error))?;
            // On no condition, which quorum queues know none of: there is no way in any more.
            let deleted = channel.queue_delete(name.clone(), QueueDeleteOptions::default()).await;
            deleted.map_err(|error| {
                explain_declare(link.name(), &format!("queue `{name}`"), &error)
            })?;
            let _ = channel.close(200, "done".into()).await;
            session.declared.lock().await.remove(key);
        }
        Ok(())
    }
}

/// What the queues of a partition hold.
enum Found {
    /// There are none.
    Gone,
    /// Nothing that is not out.
    Empty { consumed: bool },
    /// Something.
    Filled,
}
