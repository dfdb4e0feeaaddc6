//! The bus port: a fanout exchange, with a queue of its own for each process that listens.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, ExchangeKind};
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;
use waystation_core::port::{Bus, SIGNALS_MAX, Signal, Subscription};

use crate::RabbitMq;
use crate::link::{Link, Session};
use crate::topology::signals;

/// The wait after the exchange could not be used while the connection held.
const PAUSE: Duration = Duration::from_secs(1);
/// How many signals wait in a listener's queue; the oldest go first.
const QUEUE_MAX: i32 = 10_000;

/// The live signals of this process and of the others.
pub struct Signals {
    local: broadcast::Sender<Signal>,
    outgoing: mpsc::Sender<Signal>,
}

impl Signals {
    /// Listens and speaks until the token is cancelled.
    pub fn open(link: &Arc<Link>, closed: CancellationToken) -> Self {
        let (local, _) = broadcast::channel(SIGNALS_MAX);
        let (outgoing, to_send) = mpsc::channel(SIGNALS_MAX);
        // Tells our own signals, which were heard here already, from those of others.
        let origin = format!("{:016x}", fastrand::u64(..));
        let exchange = Exchange { link: Arc::clone(link), origin, local: local.clone() };
        tokio::spawn(async move { closed.run_until_cancelled(exchange.run(to_send)).await });
        Self { local, outgoing }
    }
}

impl Bus for RabbitMq {
    fn publish(&self, signal: Signal) {
        let signals = &self.shared.signals;
        let _ = signals.local.send(signal.clone());
        // That something changed is told by the store, to those who have one.
        if signal != Signal::Changed {
            // Full: signals are lossy.
            let _ = signals.outgoing.try_send(signal);
        }
    }

    fn subscribe(&self) -> Subscription {
        Subscription::new(self.shared.signals.local.subscribe())
    }
}

struct Exchange {
    link: Arc<Link>,
    origin: String,
    local: broadcast::Sender<Signal>,
}

impl Exchange {
    /// Speaks and listens apart: a broker that takes nothing must not keep us from hearing.
    async fn run(self, to_send: mpsc::Receiver<Signal>) {
        tokio::join!(self.keep_listening(), self.keep_speaking(to_send));
    }

    async fn keep_listening(&self) {
        loop {
            let Some(session) = self.link.next_session().await else { return };
            if let Err(error) = self.listen(Arc::downgrade(&session)).await {
                tracing::debug!(%error, "signals are not heard");
            }
            // Whatever was missed: look again.
            let _ = self.local.send(Signal::Changed);
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn keep_speaking(&self, mut to_send: mpsc::Receiver<Signal>) {
        loop {
            let Some(session) = self.link.next_session().await else { return };
            match self.speak(Arc::downgrade(&session), &mut to_send).await {
                Ok(()) => return,
                Err(error) => tracing::debug!(%error, "signals are not sent"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Until the session breaks. Does not keep it.
    async fn listen(&self, session: Weak<Session>) -> lapin::Result<()> {
        let Some(up) = session.upgrade() else { return Ok(()) };
        let channel = up.consuming_channel().await?;
        drop(up);
        let exchange = self.declare(&channel).await?;
        let mut heard = listen(&channel, &exchange).await?;
        while let Some(delivery) = heard.next().await {
            let delivery = delivery?;
            let ours = delivery.properties.app_id().as_ref();
            if ours.is_none_or(|origin| origin.as_str() != self.origin)
                && let Some(signal) = Signal::parse(&delivery.data)
            {
                let _ = self.local.send(signal);
            }
        }
        Ok(())
    }

    /// Until the session breaks, or until nobody has anything to say any more.
    async fn speak(
        &self,
        session: Weak<Session>,
        to_send: &mut mpsc::Receiver<Signal>,
    ) -> lapin::Result<()> {
        let Some(up) = session.upgrade() else { return Err(gone()) };
        let channel = up.signalling_channel().await?;
        drop(up);
        let exchange = self.declare(&channel).await?;
        while let Some(signal) = to_send.recv().await {
            let properties = BasicProperties::default().with_app_id(self.origin.as_str().into());
            let (options, key) = (BasicPublishOptions::default(), ShortString::default());
            let body = signal.to_bytes();
            channel.basic_publish(exchange.clone(), key, options, &body, properties).await?;
        }
        Ok(())
    }

    async fn declare(&self, channel: &Channel) -> lapin::Result<ShortString> {
        let exchange = signals(self.link.options());
        let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let kind = ExchangeKind::Fanout;
        channel.exchange_declare(exchange.clone(), kind, options, FieldTable::default()).await?;
        Ok(exchange)
    }
}

fn gone() -> lapin::Error {
    lapin::ErrorKind::FutureCompleted.into()
}

async fn listen(channel: &Channel, exchange: &ShortString) -> lapin::Result<lapin::Consumer> {
    let options = QueueDeclareOptions {
        exclusive: true,
        auto_delete: true,
        ..QueueDeclareOptions::default()
    };
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongInt(QUEUE_MAX));
    let queue = channel.queue_declare(ShortString::default(), options, arguments).await?;
    let name = queue.name().clone();
    let (key, bind) = (ShortString::default(), QueueBindOptions::default());
    channel.queue_bind(name.clone(), exchange.clone(), key, bind, FieldTable::default()).await?;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    channel.basic_consume(name, ShortString::default(), options, FieldTable::default()).await
}
