//! Consumes a worker's queues, again and again, until its reader is stopped.

use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, SelectAll};
use futures_util::{StreamExt, stream};
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions};
use lapin::types::ShortString;

use super::held::{Received, Tag};
use super::message::Message;
use super::names::Lane;
use super::reader::Shared;
use crate::line::patience;
use crate::link::Session;

/// How long the end of a channel may take.
const CLOSE_MAX: Duration = Duration::from_secs(2);

/// What a consumer brings, or `None` when it came to its end.
type Brought = Option<(Lane, lapin::Result<Delivery>)>;

/// The consumers of a channel.
struct Consumers {
    channel: Channel,
    streams: SelectAll<BoxStream<'static, Brought>>,
    tags: Vec<ShortString>,
}

impl Shared {
    /// Consumes, and tells when all is quiet.
    pub(super) async fn keep_consuming(self: Arc<Self>) {
        let stopping = self.stopping.clone();
        let mut failures = 0;
        while !stopping.is_cancelled() {
            let session = self.broker.link().next_session();
            let Some(Some(session)) = stopping.run_until_cancelled(session).await else { break };
            let ended = self.consume(&session, &mut failures).await;
            drop(session);
            self.held().cut_off();
            self.ended.notify_waiters();
            let Err(error) = ended else { break };
            let delays = &self.options.retry_delays;
            let delay = delays.get(failures).or(delays.last()).copied().unwrap_or(CLOSE_MAX);
            failures += 1;
            tracing::warn!(app = %self.app, worker = self.worker, %error, ?delay,
                "consuming ended, trying on");
            stopping.run_until_cancelled(tokio::time::sleep(delay)).await;
        }
        self.stopping.cancel();
        self.held().cut_off();
        self.quiet.send_replace(true);
        self.arrived.notify_waiters();
    }

    /// Until the channel breaks, or until the reader is stopped and nobody has anything of it.
    async fn consume(
        self: &Arc<Self>,
        session: &Session,
        failures: &mut usize,
    ) -> Result<(), String> {
        let mut consumers = self.open(session).await.map_err(|error| error.to_string())?;
        *failures = 0;
        let ended = loop {
            tokio::select! {
                () = self.stopping.cancelled() => break Ok(()),
                brought = consumers.streams.next() => match brought.flatten() {
                    Some((lane, Ok(delivery))) => self.arrive(lane, delivery),
                    Some((_, Err(error))) => break Err(error.to_string()),
                    None => break Err("a consumer was cancelled: was its queue deleted?".into()),
                },
            }
        };
        if ended.is_ok() {
            self.wind_up(&mut consumers).await;
        }
        // Whatever is still out returns to its queue.
        let closing = consumers.channel.close(200, "done".into());
        let _ = tokio::time::timeout(CLOSE_MAX, closing).await;
        ended
    }

    async fn open(&self, session: &Session) -> lapin::Result<Consumers> {
        let channel = session.consuming_channel().await?;
        let options = BasicQosOptions::default();
        // For each consumer of its own, as RabbitMQ takes it.
        channel.basic_qos(self.options.prefetch.get(), options).await?;
        // Before the first delivery can come.
        self.held().begin(channel.clone());
        let mut consumers = Consumers { channel, streams: SelectAll::new(), tags: Vec::new() };
        for (lane, queue) in self.queues() {
            let (tag, options) = (ShortString::default(), BasicConsumeOptions::default());
            let consumer = consumers.channel.basic_consume(queue, tag, options, patience()).await?;
            consumers.tags.push(consumer.tag());
            let brought = consumer.map(move |result| Some((lane, result)));
            consumers.streams.push(brought.chain(stream::once(async { None })).boxed());
        }
        Ok(consumers)
    }

    /// Lines a message up, or puts it aside when nobody can read it.
    fn arrive(self: &Arc<Self>, lane: Lane, delivery: Delivery) {
        let parsed = Message::parse(self.options.feed, &delivery.data, &self.options.kinds);
        let body: Arc<[u8]> = delivery.data.into();
        let mut held = self.held();
        let tag = Tag { epoch: held.epoch, number: delivery.delivery_tag };
        match parsed {
            Ok(message) => {
                let redelivered = delivery.redelivered;
                held.arrive(Received { tag, message, lane, redelivered, body });
                drop(held);
                self.arrived.notify_waiters();
            }
            Err(wrong) => {
                held.hold(tag, lane, body);
                drop(held);
                let shared = Arc::clone(self);
                tokio::spawn(async move { shared.put_aside(tag, &wrong.to_string()).await });
            }
        }
    }

    /// Consumes no more, returns what nobody took, and waits for what somebody did.
    async fn wind_up(&self, consumers: &mut Consumers) {
        let Consumers { channel, streams, tags } = consumers;
        let cancelling = async {
            for tag in tags.drain(..) {
                channel.basic_cancel(tag, BasicCancelOptions::default()).await?;
            }
            let mut untaken = self.held().drop_untaken();
            // What was under way before the broker heard of it.
            while let Some(brought) = streams.next().await {
                if let Some((_, Ok(delivery))) = brought {
                    untaken.push(delivery.delivery_tag);
                }
            }
            for number in untaken {
                let options = BasicNackOptions { requeue: true, ..BasicNackOptions::default() };
                channel.basic_nack(number, options).await?;
            }
            lapin::Result::Ok(())
        };
        let _ = tokio::time::timeout(CLOSE_MAX, cancelling).await;
        // With its last handle gone nobody can acknowledge; only dead letters are under way.
        let drain = self.options.drain;
        let drain = if self.handles.strong_count() > 0 { drain } else { drain.min(CLOSE_MAX) };
        let _ = tokio::time::timeout(drain, self.until_nobody_has_any()).await;
    }

    async fn until_nobody_has_any(&self) {
        loop {
            let ended = self.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.held().is_quiet() {
                return;
            }
            ended.await;
        }
    }
}
