//! Which settlements of a batch may end what is out behind the head of its line.
//!
//! A batch ends in a statement a kind, and yet as if its settlements came one after the other: one
//! of a run is ended when all before it have left, be it by the same batch.

use std::collections::{HashMap, VecDeque};

use tokio_postgres::Row;
use waystation_core::settlement::{Ended, Lease, Next, Settlement};

use super::batch::{Result, Writer};
use super::settle::Held;

/// How a message that is ended stands in its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// At its head, or in none.
    First = 0,
    /// It has come up to the head, but is not kept as the head yet.
    CameUp = 1,
    /// Others are before it.
    Behind = 2,
}

/// All that is out behind the heads of the lines in which any of these leases is so.
const OUT: &str = "SELECT message_id, message.token, queue, key, rank, \
     coalesce(turn, message_id), abort IS NOT NULL, \
     EXISTS (SELECT 1 FROM message AS before WHERE before.queue = message.queue \
     AND before.key = message.key AND before.state = 5 AND before.rank = message.rank \
     AND coalesce(before.turn, before.message_id) < coalesce(message.turn, message.message_id)), \
     EXISTS (SELECT 1 FROM message AS head WHERE head.queue = message.queue \
     AND head.key = message.key AND head.key IS NOT NULL \
     AND (head.state < 2 OR head.turn = 0 AND head.state IN (2, 4))) \
     FROM message WHERE state = 6 AND (queue, key) IN (SELECT queue, key FROM message \
     JOIN unnest($1::bigint[], $2::bigint[]) AS ended (id, token) \
     ON message_id = ended.id AND message.token = ended.token WHERE state = 6) \
     ORDER BY queue, key, rank, coalesce(turn, message_id) FOR UPDATE";

/// One that is out behind.
struct Out {
    id: i64,
    token: i64,
    rank: i16,
    turn: i64,
    is_marked: bool,
    /// Whether one that may be before it went back.
    is_passed: bool,
}

/// A line while the settlements of a batch are gone through.
#[derive(Default)]
struct Line {
    /// Whether another one is at its head, which is not of those that were out behind.
    has_head: bool,
    /// The one that has come up to the head.
    up: Option<Out>,
    out: VecDeque<Out>,
    /// What was handed back: rank and turn.
    back: Vec<(i16, i64)>,
}

impl Line {
    /// The head left.
    fn left(&mut self) {
        (self.has_head, self.up) = (false, None);
        self.bring_up();
    }

    fn bring_up(&mut self) {
        let Some(first) = self.out.front() else { return };
        let is_before = |(rank, turn): &(i16, i64)| *rank == first.rank && *turn < first.turn;
        if first.is_passed || self.back.iter().any(is_before) {
            // They fall back when the line is moved up.
            self.out.clear();
        } else {
            self.up = self.out.pop_front();
        }
    }

    /// How a message stands that this settlement would end; nothing where it may not.
    fn end(&mut self, lease: &Lease, next: &Next, line: (&str, &str)) -> Option<Standing> {
        if let Some(up) = self.up.take_if(|up| up.is(lease)) {
            if leaves(next, up.is_marked, line) {
                self.left();
            } else {
                self.has_head = true;
            }
            return Some(Standing::CameUp);
        }
        let place = self.out.iter().position(|out| out.is(lease))?;
        if *next != Next::HandBack {
            return None;
        }
        let out = self.out.remove(place)?;
        if !out.is_marked {
            self.back.push((out.rank, out.turn));
        }
        Some(Standing::Behind)
    }
}

impl Out {
    fn is(&self, lease: &Lease) -> bool {
        (self.id, self.token) == (lease.delivery_id, lease.token as i64)
    }
}

impl Writer {
    /// Goes through settlements with what they ended so far. Gives the places of those that may end
    /// what is out behind others, and how it stands then.
    pub(super) async fn in_turn(
        &mut self,
        settlements: &[(&Settlement, Option<&Held>)],
    ) -> Result<Vec<(usize, Standing)>> {
        let missing = settlements.iter().filter(|(_, held)| held.is_none());
        let (ids, tokens): (Vec<i64>, Vec<i64>) = missing
            .filter_map(|(settlement, _)| lease_of(settlement))
            .map(|lease| (lease.delivery_id, lease.token as i64))
            .unzip();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.link.rows(OUT, &[&ids, &tokens]).await?;
        let (mut lines, line_of) = read(&rows);
        if lines.is_empty() {
            return Ok(Vec::new());
        }
        // Those whose heads this batch ends have them until it comes to that.
        for (_, held) in settlements {
            if let Some(line) = held.and_then(|held| held.line.as_ref())
                && let Some(line) = lines.get_mut(&(line.0.as_str(), line.1.as_str()))
            {
                line.has_head = true;
            }
        }
        for line in lines.values_mut().filter(|line| !line.has_head) {
            line.bring_up();
        }
        let mut ends = Vec::new();
        for (place, (settlement, held)) in settlements.iter().enumerate() {
            let Some(lease) = lease_of(settlement) else { continue };
            if let Some(Held { line: Some((queue, key)), abort, .. }) = held {
                let name = (queue.as_str(), key.as_str());
                let Some(line) = lines.get_mut(&name) else { continue };
                let is_marked = abort.is_some() && settlement.yields_to_abort();
                if leaves(&settlement.next, is_marked, name) {
                    line.left();
                }
                continue;
            }
            let name = line_of.get(&(lease.delivery_id, lease.token as i64));
            let Some((name, line)) = name.and_then(|name| Some((*name, lines.get_mut(name)?)))
            else {
                continue;
            };
            let standing = line.end(lease, &settlement.next, name);
            ends.extend(standing.map(|standing| (place, standing)));
        }
        Ok(ends)
    }
}

type LineName<'a> = (&'a str, &'a str);

/// The lines of all that is out behind, and which line each lease is in.
fn read(rows: &[Row]) -> (HashMap<LineName<'_>, Line>, HashMap<(i64, i64), LineName<'_>>) {
    let mut lines: HashMap<LineName<'_>, Line> = HashMap::new();
    let mut line_of = HashMap::new();
    for row in rows {
        let name = (row.get(2), row.get(3));
        let line = lines.entry(name).or_default();
        line.has_head = row.get(8);
        line_of.insert((row.get(0), row.get(1)), name);
        line.out.push_back(Out {
            id: row.get(0),
            token: row.get(1),
            rank: row.get(4),
            turn: row.get(5),
            is_marked: row.get(6),
            is_passed: row.get(7),
        });
    }
    (lines, line_of)
}

/// Whether a message that ends so leaves its line, and nothing takes its place.
fn leaves(next: &Next, is_marked: bool, line: LineName<'_>) -> bool {
    match next {
        Next::HandBack | Next::Enqueue(_) | Next::Await(..) if is_marked => true,
        Next::HandBack => false,
        Next::Enqueue(message) | Next::Await(message, _) => {
            let kept = message.turn.as_ref().filter(|turn| turn.keeps_place);
            kept.is_none_or(|turn| (message.queue.as_str(), turn.key.as_str()) != line)
        }
        Next::Park(_) | Next::End { .. } | Next::Drop | Next::HandOver => true,
    }
}

fn lease_of(settlement: &Settlement) -> Option<&Lease> {
    match &settlement.ended {
        Ended::Delivery(lease) => Some(lease),
        Ended::Task(_) | Ended::DeadLetter(_) => None,
    }
}
