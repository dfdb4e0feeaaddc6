//! Signals on their way out: of each job's progress only the newest, and not more often than
//! anybody can see.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use waystation_core::id::JobId;
use waystation_core::port::{SIGNALS_MAX, Signal};

/// A job's progress is sent at most this often.
const GAP: Duration = Duration::from_millis(50);
/// The most jobs whose progress waits.
const JOBS_MAX: usize = 10_000;

/// What waits to be sent.
#[derive(Default)]
pub struct Outbox {
    state: Mutex<State>,
    filled: Notify,
}

#[derive(Default)]
struct State {
    /// Log lines and aborts, oldest first.
    others: VecDeque<Signal>,
    progress: HashMap<JobId, Signal>,
    /// The jobs whose progress waits, and from when on it may be sent; in the order of coming.
    line: VecDeque<(JobId, Instant)>,
    /// When a job's progress was sent, as long as it holds up the next.
    sent: HashMap<JobId, Instant>,
}

impl Outbox {
    /// Puts a signal in. Never waits: where there is no room, what is oldest or least is lost.
    pub fn put(&self, signal: Signal, now: Instant) {
        if self.state().put(signal, now) {
            self.filled.notify_one();
        }
    }

    /// Takes up to this many out; waits for the first. Cancel-safe.
    pub async fn take(&self, max: usize) -> Vec<Signal> {
        loop {
            let next = {
                let mut state = self.state();
                let queued = state.take(max, Instant::now());
                if !queued.is_empty() {
                    return queued;
                }
                state.next()
            };
            match next {
                Some(moment) => {
                    let _ = tokio::time::timeout_at(moment, self.filled.notified()).await;
                }
                None => self.filled.notified().await,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Tells whether something new waits.
    fn put(&mut self, signal: Signal, now: Instant) -> bool {
        let Signal::Progress { job_id, .. } = &signal else {
            if self.others.len() == SIGNALS_MAX {
                self.others.pop_front();
            }
            self.others.push_back(signal);
            return true;
        };
        let job_id = job_id.clone();
        if let Some(waiting) = self.progress.get_mut(&job_id) {
            *waiting = signal;
            return false;
        }
        if self.progress.len() == JOBS_MAX {
            return false;
        }
        let from = self.sent.get(&job_id).map_or(now, |sent| *sent + GAP);
        self.line.push_back((job_id.clone(), from));
        self.progress.insert(job_id, signal);
        true
    }

    fn take(&mut self, max: usize, now: Instant) -> Vec<Signal> {
        self.sent.retain(|_, sent| *sent + GAP > now);
        let others = self.others.drain(..max.min(self.others.len()));
        let mut queued: Vec<_> = others.collect();
        for _ in 0..self.line.len() {
            let Some((job_id, from)) = self.line.pop_front() else { break };
            if from > now || queued.len() == max {
                self.line.push_back((job_id, from));
            } else if let Some(signal) = self.progress.remove(&job_id) {
                self.sent.insert(job_id, now);
                queued.push(signal);
            }
        }
        queued
    }

    /// When the next progress may be sent.
    fn next(&self) -> Option<Instant> {
        self.line.iter().map(|(_, from)| *from).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress(job: &str, percent: f64) -> Signal {
        Signal::Progress { job_id: job.into(), stage: "s".into(), percent, message: String::new() }
    }

    fn abort(job: &str) -> Signal {
        Signal::Abort { job_id: job.into(), reason: String::new() }
    }

    #[test]
    fn only_the_newest_progress_is_sent_and_not_too_often() {
        let mut state = State::default();
        let start = Instant::now();
        for percent in [1.0, 2.0, 3.0] {
            state.put(progress("a", percent), start);
        }
        state.put(abort("b"), start);
        let sent = state.take(9, start);
        assert_eq!(sent, [abort("b"), progress("a", 3.0)]);

        state.put(progress("a", 4.0), start);
        assert!(state.take(9, start).is_empty());
        assert_eq!(state.next(), Some(start + GAP));
        assert_eq!(state.take(9, start + GAP), [progress("a", 4.0)]);
    }

    #[test]
    fn the_outbox_does_not_grow_without_limit() {
        let mut state = State::default();
        let now = Instant::now();
        for number in 0..=JOBS_MAX {
            state.put(progress(&number.to_string(), 1.0), now);
            state.put(abort(&number.to_string()), now);
        }
        assert_eq!((state.progress.len(), state.others.len()), (JOBS_MAX, SIGNALS_MAX));
        assert_eq!(state.others.back(), Some(&abort(&JOBS_MAX.to_string())));
        assert_eq!(state.take(SIGNALS_MAX + 1, now).len(), SIGNALS_MAX + 1);
    }
}
