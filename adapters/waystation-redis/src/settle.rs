//! Settlements: what goes on, what happened and the end of the delivery are one step on the server,
//! and only under a lease that holds. The ledger is apart, and knows a repeated hop by its step.

use std::time::Duration;

use redis::ScriptInvocation;
use waystation_core::clock::Timestamp;
use waystation_core::journal;
use waystation_core::port::Error;
use waystation_core::settlement::{Ended, Message, Next, Settled, Settlement, Turn};
use waystation_core::state::JobState;

use crate::Redis;
use crate::line::Receipt;
use crate::options::{Events, Options};
use crate::queue::Bases;
use crate::scripts::{SETTLE, SUBMIT};
use crate::topology::{journal as journal_of, queue as base_of};

/// Dead letters tell why in a field of this length at most.
const REASON_BYTES_MAX: usize = 1_000;
/// Before the queues' bases in a script's keys stands the journal.
const JOURNAL_KEYS: usize = 1;

impl Redis {
    /// Settles deliveries: each whole or not at all.
    pub(crate) async fn settle_all(
        &self,
        settlements: &[Settlement],
    ) -> Result<Vec<Settled>, Error> {
        if settlements.is_empty() {
            return Ok(Vec::new());
        }
        let now = self.shared.clock.now();
        let options = self.shared.link.options();
        let mut bases = Bases::default();
        let mut script = SETTLE.arg(word(options.events));
        script.arg(settlements.len());
        for settlement in settlements {
            let Ended::Delivery(lease) = &settlement.ended else {
                let message = "tasks and dead letters are in the store, not with the broker";
                let name = self.shared.link.name().to_owned();
                return Err(Error::Broken { name, message: message.to_owned() });
            };
            let receipt = Receipt::of(lease);
            script.arg(bases.place(&lease.queue) + JOURNAL_KEYS);
            script.arg(receipt.priority()).arg(receipt.token);
            add_next(&mut script, settlement, &mut bases, now);
            let events = journal::encode_settlement(settlement, now);
            script.arg(events.len());
            for event in events {
                script.arg(event);
            }
        }
        add_keys(&mut script, options, &bases);
        let applied: Vec<bool> = self.shared.link.call(&script).await?;
        let answer = |applied| if applied { Settled::Applied } else { Settled::Lost };
        Ok(applied.into_iter().map(answer).collect())
    }

    /// Adds contracts to their queues and events to the journal, in one step.
    pub(crate) async fn write(
        &self,
        messages: Vec<&Message>,
        events: Vec<Vec<u8>>,
    ) -> Result<(), Error> {
        if messages.is_empty() && events.is_empty() {
            return Ok(());
        }
        let now = self.shared.clock.now();
        let options = self.shared.link.options();
        let mut bases = Bases::default();
        let mut script = SUBMIT.arg(word(options.events));
        script.arg(messages.len());
        for message in messages {
            add_message(&mut script, message, &mut bases, now);
        }
        for event in events {
            script.arg(event);
        }
        add_keys(&mut script, options, &bases);
        self.shared.link.call(&script).await
    }
}

fn word(events: Events) -> &'static str {
    match events {
        Events::Batch => "batch",
        Events::Each => "each",
    }
}

fn add_keys(script: &mut ScriptInvocation<'_>, options: &Options, bases: &Bases<'_>) {
    script.key(journal_of(options));
    for queue in &bases.queues {
        script.key(base_of(options, queue));
    }
}

/// What becomes of a delivery, in the words of the script.
fn add_next<'a>(
    script: &mut ScriptInvocation<'_>,
    settlement: &'a Settlement,
    bases: &mut Bases<'a>,
    now: Timestamp,
) {
    match &settlement.next {
        Next::Enqueue(message) => {
            script.arg("next");
            add_message(script, message, bases, now);
        }
        Next::HandBack => {
            script.arg("back");
        }
        Next::End { body, failure: Some(failure) } if settlement.state == JobState::Failed => {
            let mut reason = failure.to_string();
            waystation_core::failure::truncate(&mut reason, REASON_BYTES_MAX);
            script.arg("dead").arg(body.as_slice()).arg(reason);
        }
        Next::End { .. } | Next::Park(_) | Next::Await(..) | Next::Drop | Next::HandOver => {
            script.arg("end");
        }
    }
}

/// A contract on its way into a stage's queue. How long it waits is told, not until when: the
/// server's clock is another one.
fn add_message<'a>(
    script: &mut ScriptInvocation<'_>,
    message: &'a Message,
    bases: &mut Bases<'a>,
    now: Timestamp,
) {
    let wait = message.not_before.map_or(Duration::ZERO, |moment| moment.since(now));
    script.arg(bases.place(&message.queue) + JOURNAL_KEYS);
    script.arg(i16::from(message.priority > 0)).arg(wait.as_millis() as u64);
    match &message.turn {
        None => script.arg(""),
        Some(Turn { key, keeps_place: false }) => script.arg(format!("last {key}")),
        Some(Turn { key, keeps_place: true }) => script.arg(format!("kept {key}")),
    };
    script.arg(message.body.as_slice());
}
