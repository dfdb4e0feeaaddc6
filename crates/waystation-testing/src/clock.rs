//! Clocks that tests hold: one that stands still until it is moved, and one that goes with the
//! timers of the runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use waystation_core::clock::{Clock, Timestamp};

/// A clock that stands still until a test moves it. Clones show the same time.
#[derive(Clone, Debug)]
pub struct FakeClock(Arc<AtomicI64>);

impl FakeClock {
    /// What every fake clock shows at first: 2030-01-01T00:00:00Z.
    pub const START: Timestamp = Timestamp(1_893_456_000_000);

    /// A clock at [`FakeClock::START`].
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(Self::START.0)))
    }

    /// Moves the time on. Whole milliseconds count, as everywhere.
    pub fn advance(&self, by: Duration) {
        let target = self.now().plus(by);
        self.0.store(target.0, Ordering::SeqCst);
    }

    /// The same clock as the ports take it.
    pub fn shared(&self) -> Arc<dyn Clock> {
        Arc::new(self.clone())
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

/// A clock that goes with the timers of the runtime: where a test pauses those, as
/// `#[tokio::test(start_paused = true)]` does, time passes as fast as what waits for it allows.
/// Days go by in seconds. Clones show the same time.
#[derive(Clone, Copy, Debug)]
pub struct TimerClock {
    start: Timestamp,
    began: tokio::time::Instant,
}

impl TimerClock {
    /// A clock that shows this now. To be made on the runtime.
    pub fn at(start: Timestamp) -> Self {
        Self { start, began: tokio::time::Instant::now() }
    }
}

impl Clock for TimerClock {
    fn now(&self) -> Timestamp {
        self.start.plus(self.began.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_show_the_same_time() {
        let clock = FakeClock::new();
        let other = clock.clone();
        clock.advance(Duration::from_millis(1_500));
        assert_eq!(other.now(), Timestamp(FakeClock::START.0 + 1_500));
        assert_eq!(FakeClock::START.to_string(), "2030-01-01T00:00:00.000Z");
    }
}
