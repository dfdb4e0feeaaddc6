//! Clears away what jobs leave behind that have ended, and what is known of the running no longer.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use waystation_core::job::PAGE_MAX;
use waystation_core::port::{Error, Records, Store};
use waystation_core::statistics;

use crate::backend::Backend;

/// How often, after the start.
const INTERVAL: Duration = Duration::from_mins(1);

/// Clears away at the start, for engines that live shortly, and again and again until the engine
/// drains. What is left then is the next engine's.
pub async fn run(backend: Backend, drain: CancellationToken) {
    loop {
        let (store, records) = (&*backend.store, &*backend.records);
        if let Err(error) = clear(store).await {
            tracing::warn!(%error, "steps of ended jobs are kept until the next time");
        }
        let old = backend.clock.now().minus(statistics::KEPT);
        if let Err(error) = store.forget_statistics(old).await {
            tracing::warn!(%error, "old statistics are kept until the next time");
        }
        if let Err(error) = clear_records(records).await {
            tracing::warn!(%error, "expired records are kept until the next time");
        }
        tokio::select! {
            () = drain.cancelled() => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

/// Forgets the steps of jobs that ended, page by page, so that nobody waits long for the store.
async fn clear(store: &dyn Store) -> Result<(), Error> {
    let mut after = store.forget_steps(None).await?;
    while let Some(last) = after {
        after = store.forget_steps(Some(&last)).await?;
    }
    Ok(())
}

/// Clears records that have expired, page by page.
async fn clear_records(records: &dyn Records) -> Result<(), Error> {
    while records.clear_expired_records().await? == PAGE_MAX {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use waystation_core::clock::Clock;
    use waystation_core::id::JobId;
    use waystation_core::port::{Expected, Queue};
    use waystation_core::settlement::{Message, NewJob, Start};
    use waystation_core::statistics::Period;
    use waystation_memory::Memory;
    use waystation_testing::FakeClock;

    use super::*;

    #[tokio::test]
    async fn old_minutes_and_expired_records_are_cleared_away() {
        let clock = FakeClock::new();
        let memory = Memory::new(clock.shared());
        let message = Message {
            queue: "p.a".into(),
            stage: "a".into(),
            priority: 0,
            not_before: None,
            turn: None,
            body: br#"{"job_id":"j"}"#.to_vec(),
        };
        let job_id: JobId = "j".into();
        let created = waystation_core::event::Event {
            job_id: job_id.clone(),
            kind: waystation_core::event::EventKind::Created,
            stage: "a".into(),
            visit: 1,
            attempt: 1,
            at: clock.now(),
            detail: None,
        };
        let job = NewJob {
            job_id,
            pipeline: "p".into(),
            pipeline_version: 1,
            dedupe: None,
            parent: None,
            start: Start::Queue(message),
            events: vec![created],
        };
        memory.submit(vec![job], None).await.expect("submitted");
        let gone = Some(clock.now().plus(Duration::from_secs(1)));
        let value = json!(1);
        let put = memory.put_record("c", "k", &value, Expected::Any, gone);
        put.await.expect("kept");
        let minutes = async || {
            let now = clock.now();
            let week = Period::Minutes(now.minus(statistics::KEPT * 2), now);
            memory.statistics(week).await.expect("counted").len()
        };
        assert_eq!(minutes().await, 1);
        clock.advance(statistics::KEPT + Duration::from_mins(2));
        let (backend, drain) =
            (Backend::whole(memory.clone(), clock.shared()), CancellationToken::new());
        drain.cancel();
        run(backend, drain).await;
        assert_eq!(minutes().await, 0);
        assert_eq!(memory.statistics(Period::Ever).await.expect("counted").len(), 1);
        assert_eq!(memory.clear_expired_records().await.expect("cleared"), 0, "it was so already");
    }
}
