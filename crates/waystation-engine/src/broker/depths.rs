//! How much waits in queues, where a broker has most of it: what it says itself, held against what
//! the ledger was told. A broker need not know since when something waits, nor what other
//! processes have in hand; the ledger knows of nothing that was put into a queue past it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use waystation_core::id::QueueName;
use waystation_core::port::{Depth, Error};

use super::Books;

/// How long the broker may take to answer for all queues.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// How many queues it is asked for at a time.
const AT_A_TIME: usize = 8;

/// What others know of queues.
#[derive(Debug, Default)]
pub struct Told {
    /// What the ledger was told.
    pub depths: BTreeMap<QueueName, Depth>,
    /// How many deliveries of each queue workers say that they have in hand.
    pub in_hand: HashMap<QueueName, u64>,
}

impl Books {
    /// How much waits in these queues, and in those that the ledger knows of.
    pub async fn depths(
        &self,
        named: BTreeSet<QueueName>,
        told: &Told,
    ) -> Result<BTreeMap<QueueName, Depth>, Error> {
        let queues: BTreeSet<_> = named.into_iter().chain(told.depths.keys().cloned()).collect();
        let asked = stream::iter(queues).map(|queue| async {
            let seen = self.broker.depth(&queue).await?;
            let depth = told.merged(&queue, seen);
            Ok::<_, Error>((queue, depth))
        });
        let asking = asked.buffer_unordered(AT_A_TIME).try_collect();
        match tokio::time::timeout(ANSWER_MAX, asking).await {
            Ok(answered) => answered,
            Err(_) => Err(Error::Unavailable {
                name: "the broker".to_owned(),
                message: format!("it did not tell its depths within {} s", ANSWER_MAX.as_secs()),
            }),
        }
    }
}

impl Told {
    /// What is told of a queue, and what the broker says of it, as one.
    fn merged(&self, queue: &QueueName, seen: Depth) -> Depth {
        let told = self.depths.get(queue).copied().unwrap_or_default();
        let in_hand = self.in_hand.get(queue).copied().unwrap_or(0);
        // What is behind another one of its key there, the ledger knows as ready.
        let all = (told.ready + told.leased).saturating_sub(seen.behind);
        // What lies in the broker is in nobody's hands, whatever was told of a worker that died;
        // but the journal may be behind with what others put there.
        let possible = all.saturating_sub(seen.ready).max(in_hand);
        let leased = seen.leased.max(told.leased.min(possible));
        // What a process fetched ahead, or nobody carried to the broker yet, waits as well.
        let ready = seen.ready.max(all.saturating_sub(leased));
        let oldest = seen.oldest.into_iter().chain(told.oldest).min();
        Depth {
            ready,
            priority: seen.priority.max(told.priority).min(ready),
            delayed: seen.delayed.max(told.delayed),
            behind: seen.behind + told.behind,
            leased,
            oldest: oldest.filter(|_| ready > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use waystation_core::clock::Timestamp;

    use super::*;

    /// Ready, delayed and leased.
    fn depth((ready, delayed, leased): (u64, u64, u64)) -> Depth {
        Depth { ready, delayed, leased, ..Depth::default() }
    }

    #[test]
    fn broker_and_ledger_are_told_of_as_one() {
        for (what, told, in_hand, seen, expected) in [
            ("nothing", (0, 0, 0), 0, (0, 0, 0), (0, 0, 0)),
            ("not carried yet", (2, 1, 0), 0, (0, 0, 0), (2, 1, 0)),
            ("in the broker", (3, 0, 0), 0, (3, 0, 0), (3, 0, 0)),
            ("put there by others", (0, 0, 0), 0, (7, 0, 0), (7, 0, 0)),
            ("in another process", (3, 0, 2), 2, (3, 0, 0), (3, 0, 2)),
            ("there, and not told of yet", (0, 0, 2), 0, (0, 0, 0), (0, 0, 2)),
            ("begun and not told of yet", (5, 0, 0), 2, (3, 0, 2), (3, 0, 2)),
            ("fetched ahead elsewhere", (5, 0, 1), 1, (2, 0, 0), (5, 0, 1)),
            ("of a worker that died", (0, 0, 1), 0, (1, 0, 0), (1, 0, 0)),
            ("in hand, and the journal is behind", (0, 0, 2), 2, (9, 0, 0), (9, 0, 2)),
            ("to be tried again", (0, 2, 0), 0, (0, 0, 0), (0, 2, 0)),
        ] {
            let queue = QueueName::from("p.s");
            let told = Told {
                depths: [(queue.clone(), depth(told))].into(),
                in_hand: [(queue.clone(), in_hand)].into(),
            };
            assert_eq!(told.merged(&queue, depth(seen)), depth(expected), "{what}");
        }
    }

    #[test]
    fn what_is_behind_others_is_not_ready() {
        let queue = QueueName::from("p.s");
        let (there, here) = (depth((1, 0, 1)), depth((7, 0, 0)));
        let told = Told {
            depths: [(queue.clone(), Depth { behind: 3, ..here })].into(),
            in_hand: HashMap::new(),
        };
        let merged = told.merged(&queue, Depth { behind: 5, ..there });
        assert_eq!(merged, Depth { behind: 8, ..depth((1, 0, 1)) });
    }

    #[test]
    fn oldest_is_the_older_of_two_while_anything_waits() {
        let queue = QueueName::from("p.s");
        let of = |ready, oldest: Option<i64>| Depth {
            ready,
            oldest: oldest.map(Timestamp),
            ..Depth::default()
        };
        let check = |told, seen, expected: Option<i64>| {
            let told = Told { depths: [(queue.clone(), told)].into(), ..Told::default() };
            assert_eq!(told.merged(&queue, seen).oldest, expected.map(Timestamp));
        };
        check(of(1, Some(5)), of(1, None), Some(5));
        check(of(1, Some(5)), of(2, Some(3)), Some(3));
        check(of(0, None), of(2, None), None);
        check(of(0, None), of(0, Some(3)), None);
    }
}
