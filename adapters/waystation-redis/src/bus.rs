//! The bus port: channels, one for each job's progress and one for aborts.

mod outbox;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::PubSub;
use serde_json::Value;
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use waystation_core::port::{Bus, Error, SIGNALS_MAX, Signal, Subscription};

use crate::Redis;
use crate::error::explain;
use crate::link::{Link, RECONNECT};
use crate::topology::{aborts, job_of, last_progress, progress};
use outbox::Outbox;

/// How long the last progress of a job is kept.
pub const LAST_PROGRESS: Duration = Duration::from_hours(24);
/// The most signals that are sent together.
const SEND_MAX: usize = 200;
/// How often a silent server is asked whether it is there, and how long it may take to answer.
const HEARTBEAT: Duration = Duration::from_secs(10);
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The live signals of this process and of the others.
pub struct Signals {
    local: broadcast::Sender<Signal>,
    outbox: Arc<Outbox>,
}

impl Signals {
    /// Listens and speaks until the token is cancelled.
    pub async fn open(link: &Arc<Link>, closed: CancellationToken) -> Result<Self, Error> {
        let (local, _) = broadcast::channel(SIGNALS_MAX);
        let outbox = Arc::new(Outbox::default());
        // Tells our own signals, which were heard here already, from those of others.
        let origin = format!(",\"origin\":\"{:016x}\"}}", fastrand::u64(..));
        let channels = Channels { link: Arc::clone(link), origin, local: local.clone() };
        let first = channels.listen().await.map_err(|error| explain(link.name(), &error))?;
        let channels = Arc::new(channels);
        let (speaker, sending) = (Arc::clone(&channels), Arc::clone(&outbox));
        let silenced = closed.clone();
        tokio::spawn(async move { silenced.run_until_cancelled(speaker.speak(&sending)).await });
        tokio::spawn(async move { closed.run_until_cancelled(channels.hear(first)).await });
        Ok(Self { local, outbox })
    }
}

impl Bus for Redis {
    fn publish(&self, signal: Signal) {
        let signals = &self.shared.signals;
        let _ = signals.local.send(signal.clone());
        // That something changed is told by the store, to those who have one.
        if signal != Signal::Changed {
            signals.outbox.put(signal, Instant::now());
        }
    }

    fn subscribe(&self) -> Subscription {
        Subscription::new(self.shared.signals.local.subscribe())
    }
}

struct Channels {
    link: Arc<Link>,
    /// The end of every signal that this process sends.
    origin: String,
    local: broadcast::Sender<Signal>,
}

impl Channels {
    async fn listen(&self) -> redis::RedisResult<PubSub> {
        let options = self.link.options();
        let mut listener = self.link.listener().await?;
        listener.psubscribe(progress(options, "*")).await?;
        listener.subscribe(aborts(options)).await?;
        Ok(listener)
    }

    /// Hears, and listens again whenever it was cut off.
    async fn hear(&self, first: PubSub) {
        let mut listener = first;
        loop {
            self.pass_on(listener).await;
            tracing::debug!(server = self.link.name(), "signals are cut off");
            let mut tries = 0;
            listener = loop {
                tokio::time::sleep(RECONNECT[tries.min(RECONNECT.len() - 1)]).await;
                tries += 1;
                match self.listen().await {
                    Ok(listener) => break listener,
                    Err(error) => {
                        let error = error.to_string();
                        tracing::debug!(server = self.link.name(), tries, error, "not heard");
                    }
                }
            };
            // Whatever was missed: look again.
            let _ = self.local.send(Signal::Changed);
        }
    }

    /// Until the connection breaks.
    async fn pass_on(&self, listener: PubSub) {
        let (mut sink, mut messages) = listener.split();
        let mut heartbeat = tokio::time::interval(HEARTBEAT);
        loop {
            tokio::select! {
                message = messages.next() => {
                    let Some(message) = message else { return };
                    let body = message.get_payload_bytes();
                    if !body.ends_with(self.origin.as_bytes())
                        && let Some(signal) = self.read(message.get_channel_name(), body)
                    {
                        let _ = self.local.send(signal);
                    }
                }
                _ = heartbeat.tick() => {
                    // Its answer comes between the messages, which wait in the meantime.
                    let ping = sink.ping::<redis::Value>();
                    if !matches!(tokio::time::timeout(ANSWER_MAX, ping).await, Ok(Ok(_))) {
                        return;
                    }
                }
            }
        }
    }

    /// A signal; of one that another program wrote the channel tells what it leaves out.
    fn read(&self, channel: &str, body: &[u8]) -> Option<Signal> {
        if let Some(signal) = Signal::parse(body) {
            return Some(signal);
        }
        let job_id = job_of(self.link.options(), channel)?;
        let mut fields: Value = serde_json::from_slice(body).ok()?;
        let object = fields.as_object_mut()?;
        object.entry("job_id").or_insert_with(|| job_id.as_str().into());
        object.entry("stage").or_insert_with(|| "".into());
        Signal::parse(&serde_json::to_vec(&fields).ok()?)
    }

    /// Sends what is in the outbox, for as long as anybody uses the link.
    async fn speak(&self, outbox: &Outbox) {
        loop {
            let queued = outbox.take(SEND_MAX).await;
            let Some(session) = self.link.next_session().await else { return };
            let mut pipeline = redis::pipe();
            for one in &queued {
                self.add(&mut pipeline, one);
            }
            let mut speaking = session.speaking.clone();
            // What does not arrive is lost: signals are lossy.
            if let Err(error) = pipeline.query_async::<()>(&mut speaking).await {
                tracing::debug!(error = %self.link.failed(&session, &error), "signals are lost");
            }
        }
    }

    fn add(&self, pipeline: &mut redis::Pipeline, signal: &Signal) {
        let options = self.link.options();
        let body = signal.to_bytes();
        let channel = match signal {
            Signal::Progress { job_id, .. } => {
                let key = last_progress(options, job_id);
                let seconds = LAST_PROGRESS.as_secs();
                pipeline.cmd("SET").arg(key).arg(&body).arg("EX").arg(seconds).ignore();
                progress(options, job_id.as_str())
            }
            Signal::Log { job_id, .. } => progress(options, job_id.as_str()),
            Signal::Abort { .. } => aborts(options),
            Signal::Changed => return,
        };
        let mut marked = body;
        marked.pop();
        marked.extend(self.origin.as_bytes());
        pipeline.cmd("PUBLISH").arg(channel).arg(marked).ignore();
    }
}
