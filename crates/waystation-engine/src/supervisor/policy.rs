//! What is to be done about one worker's place: decided from what was seen of it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::line::Beat;

/// When workers are started again that ended before their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarts {
    /// The wait before the first one; it doubles with each further one within the window.
    pub wait: Duration,
    /// It does not grow beyond this.
    pub wait_max: Duration,
    /// After more than so many within the window nobody is started any more.
    pub max: usize,
    /// So far back they are counted.
    pub window: Duration,
}

impl Default for Restarts {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(1),
            wait_max: Duration::from_mins(1),
            max: 20,
            window: Duration::from_mins(10),
        }
    }
}

/// What is known of a worker that runs.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When it last was seen to go on.
    pub went_on_at: Instant,
    /// What it said last.
    pub beat: Option<Beat>,
    /// How much memory it has.
    pub memory_bytes: Option<u64>,
    /// Since when it says that a job should be over.
    pub overdue_since: Option<Instant>,
    /// Since when it is to end.
    pub draining_since: Option<Instant>,
}

/// What is to be done about a worker that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    GoOn,
    /// It is to end when what it has in hand has.
    Drain(String),
    /// It is to be killed.
    Kill(String),
}

/// What is to be done about a place whose worker ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Another one starts after this time.
    StartAfter(Duration),
    /// Nobody starts any more.
    GiveUp,
}

/// When workers of a place ended before their time.
#[derive(Debug, Default)]
pub struct Ends(VecDeque<Instant>);

impl Seen {
    /// A worker that has only just begun.
    pub fn new(now: Instant) -> Self {
        Self {
            went_on_at: now,
            beat: None,
            memory_bytes: None,
            overdue_since: None,
            draining_since: None,
        }
    }

    /// Takes note of what it said.
    pub fn hear(&mut self, beat: Beat, now: Instant) {
        if self.beat.as_ref().is_none_or(|before| before.turns != beat.turns) {
            self.went_on_at = now;
        }
        self.overdue_since = beat.overdue.as_ref().map(|_| self.overdue_since.unwrap_or(now));
        self.beat = Some(beat);
    }

    /// What is to be done about it.
    pub fn judge(
        &self,
        now: Instant,
        hang: Duration,
        drain: Duration,
        memory_bytes_max: Option<u64>,
    ) -> Verdict {
        let quiet = now.saturating_duration_since(self.went_on_at);
        if quiet > hang {
            let seconds = quiet.as_secs();
            return Verdict::Kill(format!("hung: it did nothing for {seconds} s"));
        }
        if let Some(since) = self.draining_since
            && now.saturating_duration_since(since) > drain
        {
            return Verdict::Kill("it did not end when it was told to".to_owned());
        }
        let overdue = self.beat.as_ref().and_then(|beat| beat.overdue.as_ref());
        if let (Some(since), Some(job)) = (self.overdue_since, overdue)
            && now.saturating_duration_since(since) > hang
        {
            return Verdict::Kill(format!(
                "hung: job {} at stage `{}` does not end, after {} s, though its time is over",
                job.job_id, job.stage, job.seconds
            ));
        }
        match (self.memory_bytes, memory_bytes_max) {
            (Some(has), Some(max)) if has > max && self.draining_since.is_none() => {
                Verdict::Drain(format!("memory: {}, more than the {} allowed", mib(has), mib(max)))
            }
            _ => Verdict::GoOn,
        }
    }
}

impl Ends {
    /// Takes note of one, and says what follows.
    pub fn note(&mut self, now: Instant, restarts: &Restarts) -> Next {
        self.0.push_back(now);
        let is_old = |at: &Instant| now.saturating_duration_since(*at) > restarts.window;
        while self.0.front().is_some_and(is_old) {
            self.0.pop_front();
        }
        let times = self.0.len();
        if times > restarts.max {
            return Next::GiveUp;
        }
        let doublings = u32::try_from(times - 1).unwrap_or(u32::MAX).min(16);
        let wait = restarts.wait.saturating_mul(1 << doublings);
        Next::StartAfter(wait.min(restarts.wait_max))
    }
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes / (1024 * 1024))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Overdue;

    const SECOND: Duration = Duration::from_secs(1);

    fn judge(seen: &Seen, now: Instant) -> Verdict {
        seen.judge(now, SECOND * 60, SECOND * 30, Some(100 << 20))
    }

    fn beat(turns: u64) -> Beat {
        Beat { turns, ..Beat::default() }
    }

    #[test]
    fn a_worker_that_only_lives_is_taken_for_hung() {
        let start = Instant::now();
        let mut seen = Seen::new(start);
        for second in 0..60 {
            seen.hear(beat(7), start + SECOND * second);
        }
        assert_eq!(judge(&seen, start + SECOND * 60), Verdict::GoOn);
        let verdict = judge(&seen, start + SECOND * 61);
        assert_eq!(verdict, Verdict::Kill("hung: it did nothing for 61 s".to_owned()));
        seen.hear(beat(8), start + SECOND * 61);
        assert_eq!(judge(&seen, start + SECOND * 62), Verdict::GoOn);
    }

    #[test]
    fn a_job_that_does_not_heed_its_end_has_its_worker_killed() {
        let start = Instant::now();
        let mut seen = Seen::new(start);
        let overdue = Some(Overdue { job_id: "j".into(), stage: "s".into(), seconds: 90 });
        for second in 0..61 {
            let told = Beat { overdue: overdue.clone(), ..beat(u64::from(second)) };
            assert_eq!(judge(&seen, start + SECOND * second), Verdict::GoOn);
            seen.hear(told, start + SECOND * second);
        }
        let Verdict::Kill(why) = judge(&seen, start + SECOND * 61) else { panic!("it is killed") };
        assert_eq!(
            why,
            "hung: job j at stage `s` does not end, after 90 s, though its time is over"
        );
        seen.hear(beat(99), start + SECOND * 62);
        assert_eq!(judge(&seen, start + SECOND * 63), Verdict::GoOn);
    }

    #[test]
    fn too_much_memory_drains_and_a_drain_has_its_limit() {
        let start = Instant::now();
        let mut seen = Seen { memory_bytes: Some(128 << 20), ..Seen::new(start) };
        let why = "memory: 128 MiB, more than the 100 MiB allowed".to_owned();
        assert_eq!(judge(&seen, start), Verdict::Drain(why));
        seen.draining_since = Some(start);
        assert_eq!(judge(&seen, start + SECOND * 30), Verdict::GoOn);
        let why = "it did not end when it was told to".to_owned();
        assert_eq!(judge(&seen, start + SECOND * 31), Verdict::Kill(why));
    }

    #[test]
    fn waits_double_to_their_limit_and_end_when_it_happens_too_often() {
        let restarts = Restarts { max: 8, ..Restarts::default() };
        let (mut ends, start) = (Ends::default(), Instant::now());
        let mut waits = Vec::new();
        for time in 0..8 {
            match ends.note(start + SECOND * time, &restarts) {
                Next::StartAfter(wait) => waits.push(wait.as_secs()),
                Next::GiveUp => panic!("given up after {waits:?}"),
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(ends.note(start + SECOND * 9, &restarts), Next::GiveUp);
        // What is long past does not count.
        let later = start + SECOND * 10 + restarts.window;
        assert_eq!(ends.note(later, &restarts), Next::StartAfter(SECOND));
    }
}
