//! Consumes a queue whenever somebody wants something of it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, SelectAll};
use futures_util::{StreamExt, stream};
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Consumer};
use tokio::time::Instant;
use waystation_core::port::Error;

use super::fetched::mark_of;
use super::{Fetched, Kind, Line, Receipt, State};
use crate::error::is_taken;
use crate::link::Session;
use crate::options::Declare;
use crate::publisher::{self, DELIVERIES, NOT_BEFORE, Outgoing, PRIORITY};
use crate::topology::{Part, PartLane, QueueKey, Role, step_for};

/// The wait after consuming broke while the connection held: the first, and the longest.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long to wait for a queue that another consumer has for itself.
const TAKEN_PAUSE: Duration = Duration::from_secs(2);
/// How often is looked whether the broker still knows what we consume: of a queue that was deleted
/// and made again it tells nothing.
const LOOK: Duration = Duration::from_secs(3);
/// Posts of the journal that are fetched ahead.
const JOURNAL_PREFETCH: u16 = 100;
/// Deliveries that are fetched ahead from each lane of a partition, unless the URL says how many: a
/// key that many of them have must not keep the others from being seen.
pub(super) const PART_PREFETCH: u16 = 300;
/// Every so many looks it is looked whether the broker knows what we consume of a partition: there
/// are many of them.
const PART_LOOKS: u32 = 10;

/// Brokers that know it let a delivery stay unacknowledged as long as it must: an attempt may take
/// days. Older ones have the limit in their configuration only.
pub fn patience() -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-consumer-timeout".into(), AMQPValue::LongLongInt(i64::from(i32::MAX)));
    arguments
}

/// Why consuming ended.
pub(super) enum Ended {
    /// Nobody wants the journal any more: what was read and is not done is for the next reader.
    Left,
    /// Another consumer has the queue for itself.
    Taken,
    /// The broker or the network ended it.
    Broken(Error),
}

/// What a consumer brings, and from where; or `None` when it came to its end.
pub(super) type Brought = Option<(Role, lapin::Result<Delivery>)>;

/// The consumers of a channel.
pub(super) struct Consumers {
    pub channel: Channel,
    pub streams: SelectAll<BoxStream<'static, Brought>>,
    tags: Vec<ShortString>,
    /// How many deliveries each of the queues may have out.
    pub prefetch: u16,
}

impl Consumers {
    pub fn add(&mut self, role: Role, consumer: Consumer) {
        self.tags.push(consumer.tag());
        let brought = consumer.map(move |result| Some((role, result)));
        self.streams.push(brought.chain(stream::once(async { None })).boxed());
    }

    /// Ends the channel; what is not acknowledged returns, in its order.
    pub async fn close(&mut self) -> Ended {
        let closing = self.channel.close(200, "done".into());
        let _ = tokio::time::timeout(PAUSE, closing).await;
        Ended::Left
    }
}

impl Line {
    /// Consumes, again and again.
    pub(super) async fn keep_consuming(self: Arc<Self>) {
        let mut pause = PAUSE;
        loop {
            while self.state().capacity == 0 {
                // Nothing is consumed that could be left.
                self.state().leaving.clear();
                self.asked.notified().await;
            }
            let Some(session) = self.link.next_session().await else { return };
            let ended = self.consume(&session, &mut pause).await;
            drop(session);
            self.cut_off();
            match ended {
                Ended::Left => {}
                Ended::Taken => tokio::time::sleep(TAKEN_PAUSE).await,
                Ended::Broken(error) => {
                    tracing::warn!(queue = self.base, %error, "consuming ended, trying on");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    /// Nothing that was fetched is ours any more.
    fn cut_off(&self) {
        let mut state = self.state();
        state.epoch += 1;
        state.channel = None;
        state.owns = false;
        state.tags = super::Tags::default();
        state.leaving.clear();
    }

    async fn consume(self: &Arc<Self>, session: &Session, pause: &mut Duration) -> Ended {
        let mut consumers = match self.start(session).await {
            Ok(consumers) => consumers,
            Err(ended) => return ended,
        };
        *pause = PAUSE;
        let mut look = tokio::time::interval_at(Instant::now() + LOOK, LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut arrived, mut looks) = (false, 0);
        loop {
            tokio::select! {
                Some(brought) = consumers.streams.next() => match brought {
                    Some((role, Ok(delivery))) => {
                        arrived = true;
                        self.arrive(delivery, role);
                    }
                    Some((_, Err(error))) => return self.broken(&error),
                    None => return self.gone("a consumer was cancelled: was the queue deleted?"),
                },
                () = self.asked.notified() => {
                    if let Err(ended) = self.adapt(session, &mut consumers).await {
                        return ended;
                    }
                }
                _ = look.tick() => {
                    looks += 1;
                    if self.is_part() && looks % PART_LOOKS != 0 {
                        continue;
                    }
                    let idle = !std::mem::take(&mut arrived);
                    if let Err(ended) = self.look_after(session, &mut consumers, idle).await {
                        return ended;
                    }
                }
            }
        }
    }

    /// Finds out that nothing comes although we listen. `idle` tells that nothing did since the
    /// last look.
    async fn look_after(
        &self,
        session: &Session,
        consumers: &mut Consumers,
        idle: bool,
    ) -> Result<(), Ended> {
        if !consumers.channel.status().connected() {
            return Err(self.gone("the channel was closed"));
        }
        if consumers.tags.is_empty() || !idle || !self.state().tags.has_nothing() {
            return Ok(());
        }
        for role in self.roles() {
            let key = QueueKey::of(&self.base, role);
            match publisher::look(&self.link, session, &key).await {
                Ok(Some(found)) if found.consumers > 0 && found.messages == 0 => {}
                // Others take what is there, or the broker is busy: a consumer made anew does no
                // harm while we have nothing.
                Ok(found) => {
                    session.declared.lock().await.remove(&key);
                    if found.is_some() || !self.is_optional(role) {
                        return Err(self.gone("nothing comes although we listen"));
                    }
                }
                Err(error) => return Err(Ended::Broken(error)),
            }
        }
        Ok(())
    }

    /// The queues of this line.
    pub(super) fn roles(&self) -> Vec<Role> {
        match self.kind {
            Kind::Work => vec![Role::Priority, Role::Work],
            Kind::Part { generation, number } => {
                [PartLane::Retry, PartLane::Priority, PartLane::Normal]
                    .map(|lane| Role::Part(Part { generation, number, lane }))
                    .to_vec()
            }
            Kind::Journal => vec![Role::Journal],
        }
    }

    /// Who makes no queues may do without the priority lane.
    fn is_optional(&self, role: Role) -> bool {
        role == Role::Priority && self.link.options().declare == Declare::Passive
    }

    async fn start(self: &Arc<Self>, session: &Session) -> Result<Consumers, Ended> {
        let channel = session.consuming_channel().await.map_err(|error| self.broken(&error))?;
        let streams = SelectAll::new();
        let tags = Vec::new();
        let mut consumers = Consumers { channel: channel.clone(), streams, tags, prefetch: 0 };
        // Before the first delivery can come.
        {
            let mut state = self.state();
            state.epoch += 1;
            state.channel = Some(channel);
        }
        match self.kind {
            Kind::Part { .. } => self.own(session, &mut consumers).await?,
            Kind::Work | Kind::Journal => self.adapt(session, &mut consumers).await?,
        }
        Ok(consumers)
    }

    /// Fetches ahead as much as is wanted by now, or nothing any more.
    async fn adapt(&self, session: &Session, consumers: &mut Consumers) -> Result<(), Ended> {
        let wanted = self.prefetch();
        if wanted == 0 {
            return match self.kind {
                Kind::Work => self.withdraw(consumers).await,
                Kind::Part { .. } => self.give_up(consumers).await,
                Kind::Journal => Err(consumers.close().await),
            };
        }
        if wanted <= consumers.prefetch || self.is_part() {
            return Ok(());
        }
        let more = wanted - consumers.prefetch;
        let qos = consumers.channel.basic_qos(more, BasicQosOptions::default());
        qos.await.map_err(|error| self.broken(&error))?;
        for role in self.roles() {
            let key = QueueKey::of(&self.base, role);
            match publisher::declare(&self.link, session, &key).await {
                Ok(()) => {}
                Err(Error::Unavailable { .. }) if self.is_optional(role) => continue,
                Err(error) => return Err(Ended::Broken(error)),
            }
            let consumer = self.subscribe(session, &consumers.channel, &key).await?;
            consumers.add(role, consumer);
        }
        consumers.prefetch = wanted;
        tracing::debug!(queue = self.base, prefetch = wanted, "consuming");
        Ok(())
    }

    pub(super) async fn subscribe(
        &self,
        session: &Session,
        channel: &Channel,
        key: &QueueKey,
    ) -> Result<Consumer, Ended> {
        let exclusive = self.kind == Kind::Journal;
        let options = BasicConsumeOptions { exclusive, ..BasicConsumeOptions::default() };
        let queue = key.name(self.link.options());
        let tag = ShortString::default();
        match channel.basic_consume(queue, tag, options, patience()).await {
            Ok(consumer) => Ok(consumer),
            Err(error) if exclusive && is_taken(&error) => Err(Ended::Taken),
            Err(error) => {
                // It may have been deleted: the next time it is looked for again.
                session.declared.lock().await.remove(key);
                Err(self.broken(&error))
            }
        }
    }

    /// Ends the consumers and returns what nobody took. What is out stays out.
    async fn withdraw(&self, consumers: &mut Consumers) -> Result<(), Ended> {
        for tag in consumers.tags.drain(..) {
            let cancel = consumers.channel.basic_cancel(tag, BasicCancelOptions::default());
            cancel.await.map_err(|error| self.broken(&error))?;
        }
        // What was under way before the broker heard of it.
        while let Some(brought) = consumers.streams.next().await {
            if let Some((role, Ok(delivery))) = brought {
                let (tag, now) = (delivery.delivery_tag, self.clock.now());
                self.state().tags.arrive(tag, Fetched::read(delivery, role), now);
            }
        }
        consumers.streams.clear();
        consumers.prefetch = 0;
        let (untaken, leaving) = {
            let mut state = self.state();
            let epoch = state.epoch;
            let untaken = state.tags.close_untaken().into_iter();
            let untaken: Vec<_> =
                untaken.map(|(tag, fetched)| (Receipt { epoch, tag }, fetched)).collect();
            (untaken, std::mem::take(&mut state.leaving))
        };
        self.give_back(&untaken).await;
        for told in leaving {
            let _ = told.send(());
        }
        Ok(())
    }

    /// Publishes these again as if they had not been handed out, then acknowledges them.
    async fn give_back(&self, fetched: &[(Receipt, Fetched)]) {
        let copies: Vec<_> = fetched.iter().map(|(_, one)| self.copy(one)).collect();
        match publisher::publish(&self.link, &copies, self.clock.now()).await {
            Ok(()) => {
                let receipts: Vec<_> = fetched.iter().map(|(receipt, _)| *receipt).collect();
                self.acknowledge(&receipts).await;
            }
            // Returned as they are, and counted.
            Err(error) => {
                tracing::warn!(queue = self.base, %error, "not given back uncounted");
                for (receipt, _) in fetched {
                    self.put_back(*receipt).await;
                }
            }
        }
    }

    /// Lines a delivery up, or sends it on its way when it is not for now.
    pub(super) fn arrive(self: &Arc<Self>, delivery: Delivery, role: Role) {
        let tag = delivery.delivery_tag;
        if mark_of(&delivery).is_some() {
            let receipt = self.pass_through(tag);
            let line = Arc::clone(self);
            tokio::spawn(async move { line.acknowledge(&[receipt]).await });
            return;
        }
        let mut fetched = Fetched::read(delivery, role);
        if let Some(onward) = self.onward(&mut fetched) {
            let receipt = self.pass_through(tag);
            let line = Arc::clone(self);
            tokio::spawn(async move { line.pass_on(receipt, onward).await });
            return;
        }
        let Some(fetched) = self.without_suspects(tag, fetched) else { return };
        self.state().tags.arrive(tag, fetched, self.clock.now());
        self.arrived.notify_waiters();
    }

    pub(super) fn pass_through(&self, tag: u64) -> Receipt {
        let mut state = self.state();
        state.tags.pass_through(tag);
        Receipt { epoch: state.epoch, tag }
    }

    /// Where a message goes instead of to a worker: to wait on, or once round so that a queue that
    /// does not count how often it got a message back has it counted.
    fn onward(&self, fetched: &mut Fetched) -> Option<Outgoing> {
        if self.kind == Kind::Journal || fetched.keeps_place {
            return None;
        }
        if let Some(moment) = fetched.not_before {
            let now = self.clock.now();
            if moment <= now {
                fetched.not_before = None;
            } else if let Some(step) = step_for(moment.since(now)) {
                let before = i64::from(fetched.deliveries - 1);
                let body = std::mem::take(&mut fetched.body);
                let (key, priority) = (fetched.key.as_ref(), fetched.priority);
                let onward = Outgoing::delayed(&self.base, step, key, priority, body)
                    .number(NOT_BEFORE, moment.0)
                    .number(PRIORITY, i64::from(fetched.priority));
                return Some(if before > 0 { onward.number(DELIVERIES, before) } else { onward });
            }
        }
        // Among those of its key it would lose its place.
        (fetched.uncounted && !self.is_part()).then(|| self.copy(fetched))
    }

    async fn pass_on(&self, receipt: Receipt, onward: Outgoing) {
        match publisher::publish(&self.link, &[onward], self.clock.now()).await {
            Ok(()) => self.acknowledge(&[receipt]).await,
            Err(error) => {
                tracing::warn!(queue = self.base, %error, "not passed on, it comes again");
                tokio::time::sleep(PAUSE).await;
                self.put_back(receipt).await;
            }
        }
    }

    /// Returns a delivery to its queue as it is, in whosever hands. The broker counts that.
    pub async fn put_back(&self, receipt: Receipt) {
        let _one_at_a_time = self.acknowledging.lock().await;
        let channel = {
            let mut state = self.state();
            if state.epoch != receipt.epoch || self.return_in_place(&mut state, receipt.tag) {
                return;
            }
            if !state.tags.forget(receipt.tag) {
                return;
            }
            state.channel.clone()
        };
        let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
        if let Some(channel) = channel
            && let Err(error) = channel.basic_nack(receipt.tag, options).await
        {
            tracing::debug!(queue = self.base, %error, "it returns with the end of the channel");
        }
    }

    /// Whether somebody wants something of it.
    pub fn is_wanted(&self) -> bool {
        self.state().capacity > 0
    }

    /// Whether it has a key, and goes back to where it was taken from, counted.
    fn return_in_place(&self, state: &mut State, tag: u64) -> bool {
        let Some(mut fetched) = state.tags.close(tag) else { return false };
        if fetched.key.is_none() {
            return false;
        }
        fetched.deliveries = fetched.deliveries.saturating_add(1);
        state.tags.give_back(tag, fetched, self.clock.now());
        self.moved_on();
        true
    }

    /// How many deliveries to have out or fetched ahead: as many as can be worked on.
    pub(super) fn prefetch(&self) -> u16 {
        let capacity = self.state().capacity;
        if capacity == 0 {
            return 0;
        }
        match self.kind {
            Kind::Journal => JOURNAL_PREFETCH,
            Kind::Part { .. } => self.link.options().prefetch.unwrap_or(PART_PREFETCH),
            Kind::Work => {
                let capacity = u16::try_from(capacity).unwrap_or(u16::MAX);
                self.link.options().prefetch.unwrap_or(capacity)
            }
        }
    }

    pub(super) fn broken(&self, error: &lapin::Error) -> Ended {
        Ended::Broken(self.link.explain(error))
    }

    pub(super) fn gone(&self, message: &str) -> Ended {
        let name = self.link.name().to_owned();
        Ended::Broken(Error::Unavailable { name, message: message.to_owned() })
    }
}
