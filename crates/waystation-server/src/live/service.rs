//! The hub's task: reads what happens and tells the followers.
//!
//! States: *asleep* while nobody follows (it waits for the first to come, and does nothing else),
//! *awake* (it reads the feed when the bus says that something changed, and sends what came
//! together), ended.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use waystation_core::event::Event;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::job::{Count, PAGE_MAX};
use waystation_core::port::{self, Signal, Subscription};
use waystation_core::state::JobState;

use super::follower::{self, Sender, Sent};
use super::gathered::Gathered;
use super::hub::{Join, Joined};
use super::message::{Body, Delta, Message};
use super::ring::Ring;
use super::topic::Topic;
use crate::context::Context;
use crate::problem::{Code, Problem};

/// How often the feed is read at most.
const READ_EVERY: Duration = Duration::from_millis(100);
/// How often it is read though nobody says that something changed.
const READ_ANYWAY: Duration = Duration::from_secs(1);
/// How often a follower is sent something at most.
const SEND_EVERY: Duration = Duration::from_millis(250);
/// The most pages of the feed that are read at a time. What is behind them is passed over by
/// whoever was asleep.
const PAGES_MAX: usize = 10;

/// How many jobs stand where.
type Counts = HashMap<(PipelineName, StageId, JobState), u64>;

/// Reads what happens and tells the followers.
pub struct Service {
    context: Context,
    joins: mpsc::Receiver<Join>,
    closed: CancellationToken,
    topics: HashMap<Topic, Followed>,
    ring: Ring,
    /// Behind which place of the feed to read on.
    place: Option<u64>,
    /// Heard only while awake.
    signals: Option<Subscription>,
    changed: bool,
    read_at: Instant,
    sent_at: Instant,
}

/// A topic that somebody follows.
#[derive(Default)]
struct Followed {
    senders: Vec<Sender>,
    gathered: Gathered,
    /// What the followers know of the counts.
    counts: Counts,
}

/// What the task waits for.
enum Wake {
    Join(Option<Join>),
    Signal(Option<Signal>),
    Tick,
    Closed,
}

impl Service {
    /// A service that is asleep.
    pub fn new(context: Context, joins: mpsc::Receiver<Join>, closed: CancellationToken) -> Self {
        Self {
            context,
            joins,
            closed,
            topics: HashMap::new(),
            ring: Ring::default(),
            place: None,
            signals: None,
            changed: false,
            read_at: Instant::now(),
            sent_at: Instant::now(),
        }
    }

    /// Tells followers until the hub is closed or gone. Letting go of their queues lets them go.
    pub async fn run(mut self) {
        let mut ticks = interval(READ_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            match self.wake(&mut ticks).await {
                Wake::Closed | Wake::Join(None) => return,
                Wake::Join(Some(join)) => self.admit(join).await,
                Wake::Signal(Some(signal)) => self.hear(&signal),
                Wake::Signal(None) => self.signals = None,
                Wake::Tick => self.tick().await,
            }
        }
    }

    async fn wake(&mut self, ticks: &mut Interval) -> Wake {
        let awake = !self.topics.is_empty();
        let signals = self.signals.as_mut();
        let signal = async {
            match signals {
                Some(signals) => signals.next().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.closed.cancelled() => Wake::Closed,
            join = self.joins.recv() => Wake::Join(join),
            _ = ticks.tick(), if awake => Wake::Tick,
            signal = signal => Wake::Signal(signal),
        }
    }

    /// Lets somebody in, at the place that everybody else has come to.
    async fn admit(&mut self, join: Join) {
        let Join { topic, cursor, answer } = join;
        self.leave();
        let followers: usize = self.topics.values().map(|followed| followed.senders.len()).sum();
        let most = self.context.limits().subscribers_max;
        if followers >= most {
            let why = format!("{followers} follow already, and {most} may");
            let _ = answer.send(Err(Problem::new(Code::TooMany, why)));
            return;
        }
        if self.signals.is_none() {
            self.signals = Some(self.context.backend().bus.subscribe());
        }
        let place = match self.read().await {
            Ok(place) => place,
            Err(error) => {
                let _ = answer.send(Err(error.into()));
                return;
            }
        };
        let missed = cursor.and_then(|cursor| self.missed(&topic, cursor, place));
        let (sender, messages) = follower::queue();
        if answer.send(Ok(Joined { place, missed, messages })).is_ok() {
            self.topics.entry(topic).or_default().senders.push(sender);
        }
    }

    /// What came between a cursor and the present place, where that is known.
    fn missed(&self, topic: &Topic, cursor: u64, place: u64) -> Option<Delta> {
        let mut gathered = Gathered::default();
        if cursor != place {
            let events = self.ring.since(cursor)?;
            for (pipeline, event) in events.filter(|(name, event)| topic.has(name, event)) {
                gathered.add_event(topic, pipeline, event);
            }
        }
        Some(gathered.take())
    }

    fn hear(&mut self, signal: &Signal) {
        match signal {
            Signal::Changed | Signal::Abort { .. } => self.changed = true,
            Signal::Progress { job_id, .. } | Signal::Log { job_id, .. } => {
                if let Some(followed) = self.topics.get_mut(&Topic::Job(job_id.clone())) {
                    followed.gathered.add_signal(signal);
                }
            }
        }
    }

    async fn tick(&mut self) {
        let due = self.changed || self.read_at.elapsed() >= READ_ANYWAY;
        if due && let Err(error) = self.read().await {
            tracing::warn!(%error, "live updates wait for the store");
        }
        if self.sent_at.elapsed() >= SEND_EVERY {
            self.sent_at = Instant::now();
            self.send().await;
            self.leave();
        }
    }

    /// Reads the feed to its end, or so far; gives the place where it stands.
    async fn read(&mut self) -> Result<u64, port::Error> {
        self.changed = false;
        self.read_at = Instant::now();
        let store = self.context.backend().store.clone();
        let Some(mut place) = self.place else {
            let place = store.feed(None, 1).await?.next;
            self.place = Some(place);
            return Ok(place);
        };
        for _ in 0..PAGES_MAX {
            let feed = store.feed(Some(place), PAGE_MAX).await?;
            let (after, whole) = (place, feed.events.len() == PAGE_MAX);
            place = feed.next;
            self.place = Some(place);
            for (pipeline, event) in &feed.events {
                gather(&mut self.topics, pipeline, event);
            }
            if place != after {
                self.ring.push(after, feed);
            }
            if !whole {
                return Ok(place);
            }
        }
        self.changed = true;
        if !self.topics.is_empty() {
            return Ok(place);
        }
        // Nobody was told anything for so long that everybody needs a snapshot.
        self.ring.clear();
        place = store.feed(None, 1).await?.next;
        self.place = Some(place);
        Ok(place)
    }

    async fn send(&mut self) {
        let Some(place) = self.place else { return };
        let followed = self.topics.keys().any(|topic| !matches!(topic, Topic::Job(_)));
        let counts = if followed { self.counts().await } else { None };
        for (topic, followed) in &mut self.topics {
            let changed = counts.as_ref().map_or_else(Vec::new, |counts| {
                let ours = |key: &(PipelineName, _, _)| topic.counts(&key.0);
                changes(&mut followed.counts, counts, ours)
            });
            if changed.is_empty() && followed.gathered.is_empty() {
                continue;
            }
            let delta = Delta { counts: changed, ..followed.gathered.take() };
            let message = Message::new(topic.clone(), place, Body::Delta(delta));
            let Some(sent) = message.write(place) else { continue };
            followed.senders.retain(|sender| sender.send(&sent));
        }
    }

    async fn counts(&self) -> Option<Counts> {
        let counts = self.context.counts().await.ok()?;
        let key = |count: &Count| (count.pipeline.clone(), count.stage.clone(), count.state);
        Some(counts.iter().map(|count| (key(count), count.jobs)).collect())
    }

    /// Forgets those who left, and goes to sleep when nobody is left.
    fn leave(&mut self) {
        self.topics.retain(|_, followed| {
            followed.senders.retain(|sender| !sender.is_closed());
            !followed.senders.is_empty()
        });
        if self.topics.is_empty() {
            self.signals = None;
        }
    }
}

/// Takes an event in for each topic that it is of.
fn gather(topics: &mut HashMap<Topic, Followed>, pipeline: &PipelineName, event: &Event) {
    let of = [Topic::All, Topic::Pipeline(pipeline.clone()), Topic::Job(event.job_id.clone())];
    for topic in of {
        if let Some(followed) = topics.get_mut(&topic) {
            followed.gathered.add_event(&topic, pipeline, event);
        }
    }
}

/// The counts that are other now than they were known, and zero where none is left.
fn changes(
    known: &mut Counts,
    counts: &Counts,
    ours: impl Fn(&(PipelineName, StageId, JobState)) -> bool,
) -> Vec<Count> {
    let now = counts.iter().filter(|(key, _)| ours(key));
    let mut changed: Vec<_> = now
        .filter(|(key, jobs)| known.get(*key) != Some(*jobs))
        .map(|(key, jobs)| (key.clone(), *jobs))
        .collect();
    let gone = known.keys().filter(|key| !counts.contains_key(*key));
    changed.extend(gone.map(|key| (key.clone(), 0)).collect::<Vec<_>>());
    changed.sort();
    for (key, jobs) in &changed {
        match jobs {
            0 => known.remove(key),
            jobs => known.insert(key.clone(), *jobs),
        };
    }
    let count = |((pipeline, stage, state), jobs)| Count { pipeline, stage, state, jobs };
    changed.into_iter().map(count).collect()
}

impl Message {
    /// The message as it is sent.
    pub fn write(&self, cursor: u64) -> Option<Sent> {
        let text = serde_json::to_string(self);
        let text = text.inspect_err(|error| tracing::error!(%error, "message was not written"));
        Some(Sent { cursor, text: text.ok()?.into() })
    }
}
