//! The claims that this server knows: those that are out, and how the latest ones ended.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use waystation_core::clock::Timestamp;
use waystation_core::id::{JobId, QueueName};
use waystation_core::settlement::Settlement;

use super::posts::Post;
use super::token::Token;
use super::{Answer, ClaimId};
use crate::stop::{Cause, Stop};
use crate::worker::attempt::Begun;
use crate::worker::reporter::AttemptReporter;

/// How long is remembered how a claim ended.
const ENDED_FOR: Duration = Duration::from_mins(10);
/// The most of those that are remembered.
const ENDED_MAX: usize = 10_000;

/// One claim.
pub struct Slot {
    /// What its id says.
    pub token: Token,
    /// The stage that it was taken from.
    pub post: Arc<Post>,
    /// Told to stop when somebody wants the job aborted.
    pub stop: Arc<Stop>,
    /// Takes what is said of it.
    pub reporter: Arc<AttemptReporter>,
    /// How it stands. Locked while it is being settled.
    pub stand: tokio::sync::Mutex<Stand>,
    /// Until when it is the worker's.
    pub lease_until: Mutex<Timestamp>,
}

/// How a claim stands.
pub enum Stand {
    /// Somebody works on it.
    Held(Box<Begun>),
    /// Its end is decided, but the store has not taken it yet.
    Ending(u64, Box<Settlement>),
    /// It ended with what is known by this number, and this was answered.
    Ended(u64, Answer),
    /// It is nobody's.
    Lost,
}

/// All of them, by id.
#[derive(Default)]
pub struct Claims(Mutex<Known>);

#[derive(Default)]
struct Known {
    held: HashMap<ClaimId, Arc<Slot>>,
    ended: HashMap<ClaimId, (Instant, Arc<Slot>)>,
}

impl Slot {
    /// A claim that is out.
    pub fn new(
        mut begun: Begun,
        token: Token,
        post: &Arc<Post>,
        stop: Arc<Stop>,
        lease_until: Timestamp,
    ) -> Self {
        // Told with the beginning of the attempt, so that its end is known again, too.
        begun.worker = Some(token.signature());
        Self {
            post: Arc::clone(post),
            stop,
            reporter: Arc::clone(&begun.reporter),
            stand: tokio::sync::Mutex::new(Stand::Held(Box::new(begun))),
            lease_until: Mutex::new(lease_until),
            token,
        }
    }

    /// Until when it is the worker's.
    pub fn lease_until(&self) -> Timestamp {
        *self.lease_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is the worker's until then.
    pub fn extended(&self, until: Timestamp) {
        *self.lease_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}

impl Claims {
    /// Takes one in. The one that is there already stays.
    pub fn insert(&self, id: ClaimId, slot: Slot) -> Arc<Slot> {
        Arc::clone(self.known().held.entry(id).or_insert_with(|| Arc::new(slot)))
    }

    /// One of them.
    pub fn get(&self, id: &ClaimId) -> Option<Arc<Slot>> {
        let known = self.known();
        let ended = || known.ended.get(id).map(|(_, slot)| slot);
        known.held.get(id).or_else(ended).cloned()
    }

    /// One has ended: how is remembered for a while.
    pub fn ended(&self, id: &ClaimId) {
        let mut known = self.known();
        if let Some(slot) = known.held.remove(id) {
            known.ended.insert(id.clone(), (Instant::now(), slot));
        }
    }

    /// Forgets one.
    pub fn remove(&self, id: &ClaimId) {
        self.known().held.remove(id);
    }

    /// How many are out.
    pub fn held(&self) -> usize {
        self.known().held.len()
    }

    /// How many of this queue's are out.
    pub fn held_of(&self, queue: &QueueName) -> usize {
        self.known().held.values().filter(|slot| slot.token.queue == *queue).count()
    }

    /// Those that are out.
    pub fn list(&self) -> Vec<(ClaimId, Arc<Slot>)> {
        let known = self.known();
        known.held.iter().map(|(id, slot)| (id.clone(), Arc::clone(slot))).collect()
    }

    /// Somebody wants this job aborted.
    pub fn abort(&self, job_id: &JobId, reason: &str) {
        for slot in self.known().held.values().filter(|slot| slot.token.job_id == *job_id) {
            slot.stop.stop(Cause::Abort(reason.to_owned()));
        }
    }

    /// Forgets how claims ended that did so long ago, and the oldest of too many.
    pub fn forget_old(&self) {
        let mut known = self.known();
        known.ended.retain(|_, (at, _)| at.elapsed() < ENDED_FOR);
        let too_many = known.ended.len().saturating_sub(ENDED_MAX);
        if too_many > 0 {
            let mut ended: Vec<_> =
                known.ended.iter().map(|(id, (at, _))| (*at, id.clone())).collect();
            ended.sort_unstable_by_key(|(at, _)| *at);
            for (_, id) in ended.into_iter().take(too_many) {
                known.ended.remove(&id);
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
