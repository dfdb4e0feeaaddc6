//! Settlements in the safe order: what goes on is confirmed, what happened is confirmed, and only
//! then is the delivery acknowledged. A crash in between repeats the hop; the ledger knows it. A
//! failure in between repeats no more than it must: what went on already is remembered with the
//! delivery.

use std::collections::HashMap;
use std::sync::Arc;

use waystation_core::clock::Timestamp;
use waystation_core::id::QueueName;
use waystation_core::journal;
use waystation_core::key::Key;
use waystation_core::port::Error;
use waystation_core::settlement::{Ended, Message, Next, Settled, Settlement};
use waystation_core::state::JobState;

use crate::RabbitMq;
use crate::line::{Fetched, Line, Receipt};
use crate::options::{Events, Options};
use crate::publisher::{self, KEY, NOT_BEFORE, Outgoing, PRIORITY, REASON};
use crate::topology::{QueueKey, Role, step_for};

/// The most events of one message of the journal, and about how large it becomes.
const BATCH_EVENTS_MAX: usize = 500;
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// Names of queues of dead letters tell why in a header of this length at most.
const REASON_BYTES_MAX: usize = 1_000;

/// A delivery that is being settled.
struct Closed {
    /// Its place in the batch.
    place: usize,
    line: Arc<Line>,
    receipt: Receipt,
    fetched: Fetched,
    /// What goes on of it is with the broker by now.
    forwarded: bool,
}

impl Closed {
    /// Whether it returns to its place among those of its key, which the broker need not know.
    fn returns(&self, settlement: &Settlement) -> bool {
        self.fetched.key.is_some() && settlement.next == Next::HandBack
    }
}

impl RabbitMq {
    /// Settles deliveries. On an error they are back in the hands that had them, and each knows
    /// whether it was forwarded.
    pub(crate) async fn settle_all(
        &self,
        settlements: &[Settlement],
    ) -> Result<Vec<Settled>, Error> {
        let mut closed = self.close_all(settlements)?;
        let now = self.shared.clock.now();
        if let Err(error) = self.tell(settlements, &mut closed, now).await {
            for mut one in closed {
                if one.forwarded {
                    one.fetched.forwarded = Some(settlements[one.place].next.clone());
                }
                one.line.reopen(one.receipt, one.fetched);
            }
            return Err(error);
        }
        let letters: Vec<_> =
            closed.iter().filter_map(|one| letter(&settlements[one.place])).collect();
        // Copies for whoever looks there: the journal has what they tell.
        if let Err(error) = publisher::publish(&self.shared.link, &letters, now).await {
            tracing::warn!(%error, "no copies lie with the broker's dead letters");
        }
        let mut answers = vec![Settled::Lost; settlements.len()];
        let mut by_line: HashMap<(QueueName, u64), (Arc<Line>, Vec<Receipt>)> = HashMap::new();
        for one in closed {
            answers[one.place] = Settled::Applied;
            if one.returns(&settlements[one.place]) {
                one.line.give_back_in_place(one.receipt, one.fetched);
            } else if let Ended::Delivery(lease) = &settlements[one.place].ended {
                let entry = by_line.entry((lease.queue.clone(), one.receipt.line()));
                entry.or_insert_with(|| (one.line, Vec::new())).1.push(one.receipt);
            }
        }
        for (line, receipts) in by_line.into_values() {
            // To its end, also when nobody waits for it any more: what is settled must not be left
            // open with the broker.
            let acknowledging = async move { line.acknowledge(&receipts).await };
            let _ = tokio::spawn(acknowledging).await;
        }
        Ok(answers)
    }

    /// Publishes what goes on, then what happened. Notes what was forwarded as it is confirmed.
    async fn tell(
        &self,
        settlements: &[Settlement],
        closed: &mut [Closed],
        now: Timestamp,
    ) -> Result<(), Error> {
        let told = |one: &Closed| journal::encode_settlement(&settlements[one.place], now);
        let events = closed.iter().flat_map(told).collect();
        let of = |one: &Closed| forward(&settlements[one.place], one, now);
        let mut pairs: Vec<_> =
            closed.iter_mut().filter_map(|one| of(one).map(|outgoing| (one, outgoing))).collect();
        let firsts = publisher::firsts_first(&mut pairs, |(_, outgoing)| outgoing.key());
        let (ones, forwards): (Vec<_>, Vec<_>) = pairs.into_iter().unzip();
        // Before it can come back.
        for (one, key) in kept(&ones, &forwards) {
            one.line.expect(one.receipt, key);
        }
        let link = &self.shared.link;
        let mut published = publisher::publish_counted(link, &forwards[..firsts], now).await;
        let mut before = 0;
        if published.is_ok() {
            before = firsts;
            published = publisher::publish_counted(link, &forwards[firsts..], now).await;
        }
        let confirmed = match &published {
            Ok(()) => ones.len(),
            Err(unpublished) => before + unpublished.confirmed,
        };
        for (one, key) in kept(&ones[confirmed..], &forwards[confirmed..]) {
            one.line.expect_no_more(one.receipt, key);
        }
        for one in ones.into_iter().take(confirmed) {
            one.forwarded = true;
        }
        published?;
        self.write_events(events).await
    }

    /// Takes what the settlements end out of everybody's hands, where it is still ours.
    fn close_all(&self, settlements: &[Settlement]) -> Result<Vec<Closed>, Error> {
        let mut closed = Vec::with_capacity(settlements.len());
        for settlement in settlements {
            if !matches!(settlement.ended, Ended::Delivery(_)) {
                let message = "tasks and dead letters are in the store, not with the broker";
                let name = self.shared.link.name().to_owned();
                return Err(Error::Broken { name, message: message.to_owned() });
            }
        }
        for (place, settlement) in settlements.iter().enumerate() {
            let Ended::Delivery(lease) = &settlement.ended else { continue };
            let receipt = Receipt::of(lease);
            let Some(line) = self.line_of(&lease.queue, receipt) else { continue };
            if let Some(fetched) = line.close(receipt) {
                closed.push(Closed { place, line, receipt, fetched, forwarded: false });
            }
        }
        Ok(closed)
    }

    /// Writes events to the journal; returns when the broker has them, durably.
    pub(crate) async fn write_events(&self, events: Vec<Vec<u8>>) -> Result<(), Error> {
        let options = self.shared.link.options();
        let posts: Vec<_> = posts(options, events)
            .into_iter()
            .map(|body| Outgoing::new(QueueKey::journal(options), body))
            .collect();
        publisher::publish(&self.shared.link, &posts, self.shared.clock.now()).await
    }
}

/// Those that are to keep the places of their keys, which come back by themselves.
fn kept<'a>(
    ones: &'a [&mut Closed],
    forwards: &'a [Outgoing],
) -> impl Iterator<Item = (&'a Closed, &'a Key)> {
    let pairs = ones.iter().zip(forwards);
    pairs.filter_map(|(one, forward)| {
        let kept = forward.to.role().keeps_place();
        Some((&**one, one.fetched.key.as_ref().filter(|_| kept)?))
    })
}

/// A contract on its way into a stage's queue.
pub fn outgoing(message: &Message, now: Timestamp) -> Outgoing {
    let (queue, priority) = (message.queue.as_str(), message.priority);
    let body = message.body.clone();
    let key = message.turn.as_ref().map(|turn| &turn.key);
    let wait = message.not_before.filter(|moment| *moment > now).map(|moment| moment.since(now));
    let step = wait.and_then(step_for);
    let outgoing = match (step, key) {
        (Some(step), key) => Outgoing::delayed(queue, step, key, priority, body),
        (None, Some(key)) => Outgoing::keyed(QueueKey::of(queue, Role::Keys), key, priority, body),
        // What is held back by its worker tells its lane itself.
        (None, None) if priority > 0 && wait.is_none() => {
            Outgoing::new(QueueKey::of(queue, Role::Priority), body)
        }
        (None, None) => Outgoing::new(QueueKey::of(queue, Role::Work), body),
    };
    let Some(wait) = wait else { return outgoing };
    let outgoing = outgoing.number(NOT_BEFORE, now.plus(wait).0);
    if priority > 0 { outgoing.number(PRIORITY, 1) } else { outgoing }
}

/// A contract that keeps the place of the delivery that it came of, until it may be tried again.
fn in_place(message: &Message, role: Role, key: &Key) -> Outgoing {
    let queue = QueueKey::of(message.queue.as_str(), role);
    let mut outgoing = Outgoing::new(queue, message.body.clone()).text(KEY, key.as_str());
    if let Some(moment) = message.not_before {
        outgoing = outgoing.number(NOT_BEFORE, moment.0);
    }
    if message.priority > 0 { outgoing.number(PRIORITY, 1) } else { outgoing }
}

/// What a settlement publishes besides its events. Nothing where the same was forwarded when it was
/// asked for before. If something else was, that cannot be called back, and what is asked for now
/// goes on beside it: left out, the job would be where no queue has it. Which of the two counts is
/// for the ledger, as when a hop is repeated.
fn forward(settlement: &Settlement, closed: &Closed, now: Timestamp) -> Option<Outgoing> {
    if closed.fetched.forwarded.as_ref() == Some(&settlement.next) {
        return None;
    }
    match &settlement.next {
        Next::Enqueue(message) => {
            let place = message.turn.as_ref().filter(|turn| turn.keeps_place);
            let place = place.filter(|turn| closed.fetched.key.as_ref() == Some(&turn.key));
            match place.and_then(|turn| Some((closed.line.retries()?, &turn.key))) {
                Some((role, key)) => Some(in_place(message, role, key)),
                None => Some(outgoing(message, now)),
            }
        }
        Next::HandBack if closed.returns(settlement) => None,
        Next::HandBack => Some(closed.line.copy(&closed.fetched)),
        Next::End { .. } | Next::Park(_) | Next::Await(..) | Next::Drop | Next::HandOver => None,
    }
}

/// The copy of a failed job for the broker's own dead letters.
fn letter(settlement: &Settlement) -> Option<Outgoing> {
    let Next::End { body, failure: Some(failure) } = &settlement.next else { return None };
    let Ended::Delivery(lease) = &settlement.ended else { return None };
    if settlement.state != JobState::Failed {
        return None;
    }
    let mut reason = failure.to_string();
    waystation_core::failure::truncate(&mut reason, REASON_BYTES_MAX);
    let key = QueueKey::of(lease.queue.as_str(), Role::Dead);
    Some(Outgoing::new(key, body.clone()).text(REASON, &reason))
}

/// Events as messages of the journal: lists of them, or one each.
fn posts(options: &Options, events: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    if options.events == Events::Each {
        return events;
    }
    let mut posts = Vec::new();
    let mut post = Vec::new();
    let mut count = 0;
    for event in events {
        let full = count == BATCH_EVENTS_MAX || post.len() + event.len() > BATCH_BYTES_MAX;
        if full && count > 0 {
            post.push(b']');
            posts.push(std::mem::take(&mut post));
            count = 0;
        }
        post.push(if count == 0 { b'[' } else { b',' });
        post.extend(event);
        count += 1;
    }
    if count > 0 {
        post.push(b']');
        posts.push(post);
    }
    posts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn posts_are_lists_of_limited_length() {
        let options = Options::parse("amqp://h").expect("a good URL");
        let events = vec![b"{}".to_vec(); BATCH_EVENTS_MAX + 1];
        let posts = posts(&options, events);
        let lengths: Vec<usize> = posts
            .iter()
            .map(|post| serde_json::from_slice::<Vec<serde_json::Value>>(post).expect("JSON").len())
            .collect();
        assert_eq!(lengths, [BATCH_EVENTS_MAX, 1]);
        assert!(super::posts(&options, Vec::new()).is_empty());
    }

    #[test]
    fn events_are_one_a_message_where_that_is_asked_for() {
        let options = Options::parse("amqp://h?events=each").expect("a good URL");
        assert_eq!(posts(&options, vec![b"{}".to_vec(); 3]).len(), 3);
    }
}
