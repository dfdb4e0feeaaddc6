//! An answer that is dear to find, kept for a while.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use waystation_core::port;

/// An answer takes at most this share of the time: it is kept this many times as long as it took
/// to find.
const KEPT_FACTOR: u32 = 20;
/// So many times as long as it is kept, an answer is still given while a newer one is found. Nobody
/// is told what was true when somebody last looked, hours ago.
const GIVEN_FACTOR: u32 = 3;

/// Keeps an answer. Whoever asks gets the last one at once, and an old one is found anew meanwhile;
/// who is first to ask, or to ask after a long time, waits.
pub struct Cached<T> {
    kept: Arc<Mutex<Kept<T>>>,
    /// Held by whoever finds the answer.
    finding: Arc<tokio::sync::Mutex<()>>,
    keeping: Keeping<T>,
}

/// How long answers are kept.
struct Keeping<T> {
    at_least: Duration,
    /// Whether an answer is only better than none: it is kept no longer than it must be.
    is_stopgap: fn(&T) -> bool,
}

impl<T> Clone for Keeping<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Keeping<T> {}

struct Kept<T> {
    answer: Option<Arc<T>>,
    until: Instant,
    /// Until when it is given to whoever asks, although it is old.
    given_until: Instant,
}

impl<T: Send + Sync + 'static> Cached<T> {
    /// Keeps answers at least this long.
    pub fn new(kept_for: Duration) -> Self {
        let now = Instant::now();
        let kept = Kept { answer: None, until: now, given_until: now };
        let keeping = Keeping { at_least: kept_for, is_stopgap: |_| false };
        Self { kept: Arc::new(Mutex::new(kept)), finding: Arc::default(), keeping }
    }

    /// The same, where some answers are only better than none.
    pub fn with_stopgaps(self, is_stopgap: fn(&T) -> bool) -> Self {
        Self { keeping: Keeping { is_stopgap, ..self.keeping }, ..self }
    }

    /// The answer, as `find` finds it. An error is told to whoever waits, and not kept.
    pub async fn get<Found>(
        &self,
        find: impl FnOnce() -> Found + Send + 'static,
    ) -> Result<Arc<T>, port::Error>
    where
        Found: Future<Output = Result<T, port::Error>> + Send + 'static,
    {
        match self.look() {
            (Some(answer), true) => return Ok(answer),
            (Some(answer), false) => {
                if let Ok(finding) = Arc::clone(&self.finding).try_lock_owned() {
                    let (kept, keeping) = (Arc::clone(&self.kept), self.keeping);
                    tokio::spawn(async move {
                        let _finding = finding;
                        if let Err(error) = find_and_keep(&kept, keeping, find).await {
                            tracing::warn!(%error, "an older answer is given");
                        }
                    });
                }
                return Ok(answer);
            }
            (None, _) => {}
        }
        let _finding = self.finding.lock().await;
        if let (Some(answer), _) = self.look() {
            return Ok(answer);
        }
        find_and_keep(&self.kept, self.keeping, find).await
    }

    /// What is kept, unless it is too old to be given, and whether it is still new enough.
    fn look(&self) -> (Option<Arc<T>>, bool) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        (kept.answer.clone().filter(|_| now < kept.given_until), now < kept.until)
    }
}

async fn find_and_keep<T, Found: Future<Output = Result<T, port::Error>>>(
    kept: &Mutex<Kept<T>>,
    keeping: Keeping<T>,
    find: impl FnOnce() -> Found,
) -> Result<Arc<T>, port::Error> {
    let began = Instant::now();
    let answer = Arc::new(find().await?);
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.answer = Some(Arc::clone(&answer));
    let mut kept_for = keeping.at_least;
    if !(keeping.is_stopgap)(&answer) {
        kept_for = kept_for.max(began.elapsed() * KEPT_FACTOR);
    }
    kept.until = Instant::now() + kept_for;
    kept.given_until = kept.until + kept_for * GIVEN_FACTOR;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps for so long, and finds one more each time.
    async fn ask(cached: &Cached<u32>, found: &Arc<Mutex<u32>>) -> u32 {
        let found = Arc::clone(found);
        let find = move || async move {
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            *found += 1;
            Ok(*found)
        };
        *cached.get(find).await.expect("found")
    }

    #[tokio::test]
    async fn answers_are_kept_for_a_while_and_not_given_long_after_it() {
        let found = Arc::default();
        let kept = Cached::new(Duration::from_hours(1));
        assert_eq!([ask(&kept, &found).await, ask(&kept, &found).await], [1, 1]);
        // The moments at which it was kept long ago, or a while ago.
        let age = |by: Duration| {
            let mut kept = kept.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.until -= by;
            kept.given_until -= by;
        };
        age(Duration::from_hours(2));
        assert_eq!(ask(&kept, &found).await, 1, "an old one is given while it is found anew");
        let finding = kept.finding.lock().await;
        drop(finding);
        age(Duration::from_hours(5));
        let told = ask(&kept, &found).await;
        assert!(told > 1, "nobody is told of what was so hours ago");
    }
}
