//! An answer that is dear to find, kept for a while.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use waystation_core::port;

/// An answer takes at most this share of the time: it is kept this many times as long as it took
/// to find.
const KEPT_FACTOR: u32 = 20;

/// Keeps an answer. Whoever asks gets the last one at once, and an old one is found anew meanwhile;
/// only the first to ask waits.
pub struct Cached<T> {
    kept: Arc<Mutex<Kept<T>>>,
    /// Held by whoever finds the answer.
    finding: Arc<tokio::sync::Mutex<()>>,
    kept_for: Duration,
}

struct Kept<T> {
    answer: Option<Arc<T>>,
    until: Instant,
}

impl<T: Send + Sync + 'static> Cached<T> {
    /// Keeps answers at least this long.
    pub fn new(kept_for: Duration) -> Self {
        let kept = Kept { answer: None, until: Instant::now() };
        Self { kept: Arc::new(Mutex::new(kept)), finding: Arc::default(), kept_for }
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
                    let (kept, kept_for) = (Arc::clone(&self.kept), self.kept_for);
                    tokio::spawn(async move {
                        let _finding = finding;
                        if let Err(error) = find_and_keep(&kept, kept_for, find).await {
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
        find_and_keep(&self.kept, self.kept_for, find).await
    }

    /// What is kept, and whether it is still new enough.
    fn look(&self) -> (Option<Arc<T>>, bool) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.answer.clone(), Instant::now() < kept.until)
    }
}

async fn find_and_keep<T, Found: Future<Output = Result<T, port::Error>>>(
    kept: &Mutex<Kept<T>>,
    kept_for: Duration,
    find: impl FnOnce() -> Found,
) -> Result<Arc<T>, port::Error> {
    let began = Instant::now();
    let answer = Arc::new(find().await?);
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.answer = Some(Arc::clone(&answer));
    kept.until = Instant::now() + kept_for.max(began.elapsed() * KEPT_FACTOR);
    Ok(answer)
}
