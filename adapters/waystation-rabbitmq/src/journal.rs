//! The journal port: the durable queue of events, which one tracker at a time reads.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lapin::options::{BasicPublishOptions, ExchangeDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, ExchangeKind, PublisherConfirm};
use serde_json::value::RawValue;
use tokio::time::Instant;
use waystation_core::port::{Error, Journal, POSTS_MAX, Post};

use crate::RabbitMq;
use crate::error::explain_declare;
use crate::line::{Line, Receipt};
use crate::link::{Link, Session};
use crate::publisher::{self, Outgoing, REASON};
use crate::topology::{QueueKey, events};

/// How long nothing is announced after nobody was there to hear it.
const NOBODY_PAUSE: Duration = Duration::from_secs(1);
/// How long the reader of the journal waits for its announcements.
const ANNOUNCE_MAX: Duration = Duration::from_secs(2);
/// How many bytes of posts are kept meanwhile, for whoever comes; the oldest go first.
const UNHEARD_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What was read and is not done.
#[derive(Default)]
pub struct Reading {
    posts: Mutex<HashMap<u64, (Receipt, Vec<u8>)>>,
    next: std::sync::atomic::AtomicU64,
    announcer: tokio::sync::Mutex<Announcer>,
}

/// Announces events to whoever bound a queue to their exchange.
#[derive(Default)]
struct Announcer {
    declared_in: std::sync::Weak<Session>,
    silent_until: Option<Instant>,
    unheard: Unheard,
}

/// Posts whose events nobody was told of yet.
#[derive(Default)]
struct Unheard {
    posts: VecDeque<Vec<u8>>,
    bytes: usize,
}

#[async_trait]
impl Journal for RabbitMq {
    async fn read(&self, max: usize, wait: Duration) -> Result<Vec<Post>, Error> {
        let taken = self.journal_line().take(max.min(POSTS_MAX), wait).await;
        let reading = &self.shared.reading;
        let mut posts = reading.posts();
        let post = |(receipt, fetched): (Receipt, crate::line::Fetched)| {
            let number = reading.next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            posts.insert(number, (receipt, fetched.body.clone()));
            Post { receipt: number, body: fetched.body }
        };
        Ok(taken.into_iter().map(post).collect())
    }

    async fn done(&self, receipts: &[u64]) -> Result<(), Error> {
        let line = self.journal_line();
        let posts: Vec<_> = {
            let mut posts = self.shared.reading.posts();
            receipts.iter().filter_map(|receipt| posts.remove(receipt)).collect()
        };
        let ours: Vec<_> = posts.into_iter().filter(|(receipt, _)| line.holds(*receipt)).collect();
        let receipts: Vec<_> = ours.iter().map(|(receipt, _)| *receipt).collect();
        for receipt in &receipts {
            line.close(*receipt);
        }
        line.acknowledge(&receipts).await;
        // Also a broker that takes nothing must not keep the journal from being read.
        let bodies = ours.into_iter().map(|(_, body)| body);
        let announcing = self.shared.reading.announce(&self.shared.link, bodies);
        match tokio::time::timeout(ANNOUNCE_MAX, announcing).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "events are not announced"),
            Err(_) => tracing::warn!("events are not announced: the broker takes nothing"),
        }
        Ok(())
    }

    async fn leave(&self) -> Result<(), Error> {
        self.journal_line().leave().await;
        self.shared.reading.posts().clear();
        Ok(())
    }

    async fn refuse(&self, receipt: u64, why: &str) -> Result<(), Error> {
        let line = self.journal_line();
        let post = self.shared.reading.posts().get(&receipt).cloned();
        let Some((held, body)) = post else { return Ok(()) };
        self.set_aside(&body, why).await?;
        self.shared.reading.posts().remove(&receipt);
        if line.close(held).is_some() {
            line.acknowledge(&[held]).await;
        }
        Ok(())
    }

    async fn set_aside(&self, part: &[u8], why: &str) -> Result<(), Error> {
        let link = &self.shared.link;
        let refused = Outgoing::new(QueueKey::journal_dead(link.options()), part.to_vec());
        let refused = refused.text(REASON, why);
        publisher::publish(link, &[refused], self.shared.clock.now()).await
    }
}

impl Reading {
    fn posts(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (Receipt, Vec<u8>)>> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends the events of these posts to the exchange, one a message. While no queue is bound to
    /// it, one of them is tried now and then: who binds one hears what happens from then on.
    async fn announce(
        &self,
        link: &Link,
        posts: impl Iterator<Item = Vec<u8>>,
    ) -> Result<(), Error> {
        let mut announcer = self.announcer.lock().await;
        announcer.unheard.extend(posts);
        if announcer.silent_until.is_some_and(|until| Instant::now() < until) {
            return Ok(());
        }
        let mut unheard = announcer.unheard.take_events();
        let Some(first) = unheard.next() else { return Ok(()) };
        let session = link.session().await?;
        if !std::ptr::eq(announcer.declared_in.as_ptr(), Arc::as_ptr(&session)) {
            declare_events(link, &session).await?;
            announcer.declared_in = Arc::downgrade(&session);
        }
        let channel = session.publisher().await.map_err(|error| link.explain(&error))?;
        let confirm = send(link, &channel, &first).await?;
        let confirmed = confirm.await.map_err(|error| link.explain(&error))?;
        let nobody = matches!(confirmed, Confirmation::Ack(Some(_)));
        announcer.silent_until = nobody.then(|| Instant::now() + NOBODY_PAUSE);
        if nobody {
            session.give_back(channel);
            return Ok(());
        }
        let mut confirms = Vec::new();
        for event in unheard {
            confirms.push(send(link, &channel, &event).await?);
        }
        for confirm in confirms {
            confirm.await.map_err(|error| link.explain(&error))?;
        }
        session.give_back(channel);
        Ok(())
    }
}

impl Unheard {
    fn extend(&mut self, posts: impl Iterator<Item = Vec<u8>>) {
        for post in posts {
            self.bytes += post.len();
            self.posts.push_back(post);
        }
        while self.bytes > UNHEARD_BYTES_MAX
            && let Some(oldest) = self.posts.pop_front()
        {
            self.bytes -= oldest.len();
        }
    }

    fn take_events(&mut self) -> impl Iterator<Item = Box<RawValue>> + use<> {
        self.bytes = 0;
        std::mem::take(&mut self.posts).into_iter().flat_map(|post| single_events(&post))
    }
}

async fn send(link: &Link, channel: &Channel, event: &RawValue) -> Result<PublisherConfirm, Error> {
    let sent = channel.basic_publish(
        events(link.options()),
        ShortString::default(),
        BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() },
        event.get().as_bytes(),
        BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/json".into()),
    );
    sent.await.map_err(|error| link.explain(&error))
}

async fn declare_events(link: &Link, session: &Session) -> Result<(), Error> {
    let exchange = events(link.options());
    let channel = session.declaring_channel().await.map_err(|error| link.explain(&error))?;
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let kind = ExchangeKind::Fanout;
    channel
        .exchange_declare(exchange.clone(), kind, durable, FieldTable::default())
        .await
        .map_err(|error| explain_declare(link.name(), &format!("exchange `{exchange}`"), &error))?;
    let _ = channel.close(200, "done".into()).await;
    Ok(())
}

/// The events of a post, each with its own text.
fn single_events(post: &[u8]) -> Vec<Box<RawValue>> {
    let list = serde_json::from_slice::<Vec<Box<RawValue>>>(post);
    list.or_else(|_| serde_json::from_slice(post).map(|one| vec![one])).unwrap_or_default()
}

impl RabbitMq {
    fn journal_line(&self) -> Arc<Line> {
        self.shared.journal_line()
    }
}
