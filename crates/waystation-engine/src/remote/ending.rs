//! Takes what came of a claim, once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use waystation_core::contract::Contract;
use waystation_core::event::{Event, EventKind};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Reporter};
use waystation_core::job::JobRecord;
use waystation_core::port::{self, Extended};
use waystation_core::settlement::{Next, Settled, Settlement};
use waystation_core::state::JobState;

use super::claims::{Slot, Stand};
use super::service::Inner;
use super::token::Token;
use super::{Answer, ClaimId, Completed, Error, Failed, Line};
use crate::decide::{self, Outcome, refused_as_too_large};
use crate::stop::{Cause, Stop};
use crate::worker::attempt::{Begun, Finished};

/// What is told of a claim.
pub enum Told {
    /// The work is done.
    Completed(Completed),
    /// It failed.
    Failed(Failed),
    /// It was not done.
    HandedBack,
    /// Its time is over. Nobody told that.
    TimedOut,
}

impl Told {
    /// A number by which the same is known again.
    fn digest(&self) -> u64 {
        let text = match self {
            Self::Completed(completed) => serde_json::to_string(completed),
            Self::Failed(failed) => serde_json::to_string(failed),
            Self::HandedBack | Self::TimedOut => Ok(String::new()),
        };
        let mut hasher = DefaultHasher::new();
        (std::mem::discriminant(self), text.unwrap_or_default()).hash(&mut hasher);
        hasher.finish()
    }

    fn lines(&self) -> &[Line] {
        match self {
            Self::Completed(completed) => &completed.log,
            Self::Failed(failed) => &failed.log,
            Self::HandedBack | Self::TimedOut => &[],
        }
    }
}

impl Inner {
    /// Ends a claim so. What was told of it before comes first.
    pub async fn end(&self, id: &ClaimId, told: Told) -> Result<Answer, Error> {
        let digest = told.digest();
        let slot = match self.claims.get(id) {
            Some(slot) => slot,
            None => match self.take_up(id).await? {
                Some(slot) => slot,
                None => return self.answered_before(&Token::read(id)?, &told).await,
            },
        };
        let mut stand = slot.stand.lock().await;
        let settlement = match std::mem::replace(&mut *stand, Stand::Lost) {
            Stand::Held(begun) => self.decide(&slot, *begun, &told).await,
            Stand::Ending(before, settlement) if before == digest => *settlement,
            Stand::Ended(before, answer) => {
                *stand = Stand::Ended(before, answer.clone());
                return if before == digest { Ok(answer) } else { Err(Error::Lost) };
            }
            other @ (Stand::Ending(..) | Stand::Lost) => {
                *stand = other;
                return Err(Error::Lost);
            }
        };
        let settled = match self.settle(&settlement).await {
            Ok(settled) => settled,
            Err(error) => {
                // The same told again is tried again.
                *stand = Stand::Ending(digest, Box::new(settlement));
                return Err(error.into());
            }
        };
        if settled == Settled::Lost {
            drop(stand);
            self.claims.remove(id);
            return self.answered_before(&slot.token, &told).await;
        }
        let answer = answer(&settlement, settled, &told);
        *stand = Stand::Ended(digest, answer.clone());
        drop(stand);
        self.callers.settled(&slot.token.worker);
        self.claims.ended(id);
        Ok(answer)
    }

    /// A claim that is out, to say something of it.
    pub async fn held(&self, id: &ClaimId) -> Result<Arc<Slot>, Error> {
        let slot = match self.claims.get(id) {
            Some(slot) => Some(slot),
            None => self.take_up(id).await?,
        };
        let slot = slot.ok_or(Error::Lost)?;
        // One that is just being settled has said enough.
        let is_held = slot.stand.try_lock().is_ok_and(|stand| matches!(*stand, Stand::Held(_)));
        if !is_held {
            return Err(Error::Lost);
        }
        self.callers.heard(&slot.token.worker, self.now());
        Ok(slot)
    }

    /// What becomes of the job, as if code of ours had ended so.
    async fn decide(&self, slot: &Slot, begun: Begun, told: &Told) -> Settlement {
        for line in told.lines() {
            slot.reporter.log(line.level, &line.line);
        }
        let outcome = self.outcome(slot, &begun, told);
        slot.post.attempter.end(begun, outcome).await
    }

    fn outcome(&self, slot: &Slot, begun: &Begun, told: &Told) -> Outcome {
        if let Some(Cause::Abort(reason)) = slot.stop.cause() {
            return Outcome::Aborted(reason.clone());
        }
        // Work that was finished after all is kept.
        let late =
            |grace: Duration| begun.limit.filter(|limit| limit.until.plus(grace) <= self.now());
        let over = match told {
            Told::TimedOut => begun.limit,
            Told::Completed(_) => late(self.options.grace),
            Told::Failed(_) | Told::HandedBack => late(Duration::ZERO),
        };
        match (over, told) {
            (Some(limit), _) => Outcome::Failed(limit.exceeded(&begun.stage)),
            (None, Told::Completed(completed)) => Outcome::Completed(completion(completed)),
            (None, Told::Failed(failed)) => Outcome::Failed(failure(failed)),
            (None, Told::HandedBack | Told::TimedOut) => Outcome::HandedBack,
        }
    }

    async fn settle(&self, settlement: &Settlement) -> Result<Settled, port::Error> {
        let queue = &self.client.backend().queue;
        let settled = match queue.settle([settlement.clone()].into()).await {
            Err(error @ port::Error::TooLarge { .. }) => {
                let refused = refused_as_too_large(settlement, &error.to_string(), self.now());
                queue.settle([refused].into()).await
            }
            other => other,
        };
        Ok(settled?.first().copied().unwrap_or(Settled::Lost))
    }

    /// Takes up a claim that was made before a restart, or by another server, where the store knows
    /// its delivery. `None` when it is nobody's any more.
    async fn take_up(&self, id: &ClaimId) -> Result<Option<Arc<Slot>>, Error> {
        let token = Token::read(id)?;
        let backend = self.client.backend();
        if !backend.queue.capabilities().atomic_settlement {
            return Ok(None);
        }
        let Some(job) = backend.store.job(&token.job_id).await? else { return Ok(None) };
        let posts = self.posts.of_claim(&token.pipeline, &token.stage, &token.queue);
        let Some(post) = posts.await?.filter(|_| is_at(&job, &token)) else { return Ok(None) };
        let stop = Arc::new(Stop::default());
        // Whoever says something of it lives, and the queue knows whose it is.
        let (leases, length) = (vec![token.lease()], Duration::from_millis(token.lease_ms));
        match backend.queue.extend(leases, length).await?.pop() {
            Some(Extended::Held) => {}
            Some(Extended::AbortRequested { reason }) => stop.stop(Cause::Abort(reason)),
            Some(Extended::Lost) | None => return Ok(None),
        }
        let lease_until = self.now().plus(length);
        let mut begun = match post.attempter.begin(token.delivery(job.body), &stop).await {
            Ok(begun) => begun,
            Err(Finished::Settle(settlement)) => {
                self.settle(&settlement).await?;
                return Ok(None);
            }
            Err(Finished::LeaseLost(_)) => return Ok(None),
        };
        begun.started_at = token.started_at;
        let slot = Slot::new(begun, token, &post, stop, lease_until);
        Ok(Some(self.claims.insert(id.clone(), slot)))
    }

    /// Whether the same was told before, of this very claim, and took effect.
    async fn answered_before(&self, token: &Token, told: &Told) -> Result<Answer, Error> {
        let store = &self.client.backend().store;
        let events = store.events(&token.job_id).await?;
        let mut of_it = events.iter().filter(|event| {
            (event.visit, event.attempt) == (token.visit, token.attempt)
                && event.stage == token.stage
        });
        let signature = token.signature();
        let began =
            |kind, detail: Option<&_>| kind == EventKind::Started && detail == Some(&signature);
        if !of_it.any(|event| began(event.kind, event.detail.as_ref())) {
            return Err(Error::Lost);
        }
        let same = of_it.next().is_some_and(|event| tells(event.kind, event.detail.as_ref(), told));
        match store.job(&token.job_id).await? {
            Some(job) if same => {
                Ok(Answer { job_id: job.job_id, state: job.state, stage: job.stage, instead: None })
            }
            _ => Err(Error::Lost),
        }
    }
}

/// Whether the job still waits for the end of this very attempt.
fn is_at(job: &JobRecord, token: &Token) -> bool {
    let awaited = Contract::awaited(&job.body);
    job.state == JobState::Running && awaited == Some((token.visit, token.attempt))
}

/// Whether the event of an attempt's end tells this.
fn tells(kind: EventKind, detail: Option<&Value>, told: &Told) -> bool {
    match (told, kind) {
        (Told::Completed(completed), EventKind::Completed) => {
            let mut detail = detail.cloned();
            if let Some(Value::Object(fields)) = &mut detail {
                fields.shift_remove(Event::CHILDREN);
            }
            let detail = detail.filter(|detail| *detail != json!({}));
            detail == decide::told(&completion(completed))
        }
        (Told::Failed(failed), EventKind::Failed) => detail == Some(&json!(failure(failed))),
        (Told::Failed(failed), EventKind::Retried) => {
            let why = detail.and_then(|detail| detail.get("failure"));
            why == Some(&json!(failure(failed)))
        }
        (Told::HandedBack, EventKind::HandedBack) => true,
        _ => false,
    }
}

fn completion(completed: &Completed) -> Completion {
    Completion { label: completed.label.clone(), output: completed.output.clone() }
}

/// The failure of an attempt. Kinds that only the engine can know of are plain errors.
fn failure(failed: &Failed) -> Failure {
    let kind = match (failed.kind, failed.retryable) {
        (None, Some(false)) => ErrorKind::Permanent,
        (None | Some(ErrorKind::Aborted | ErrorKind::Poison | ErrorKind::Child), _) => {
            ErrorKind::Error
        }
        (Some(kind), Some(false)) if kind.retryable() => ErrorKind::Permanent,
        (Some(kind), Some(true)) if !kind.retryable() => ErrorKind::Transient,
        (Some(kind), _) => kind,
    };
    let failure = Failure::new(kind, failed.message.clone());
    let wait = failed.retry_after_seconds.map(Duration::try_from_secs_f64);
    match wait {
        Some(Ok(wait)) => failure.retry_after(wait),
        Some(Err(_)) | None => failure,
    }
}

/// What became of the job.
fn answer(settlement: &Settlement, settled: Settled, told: &Told) -> Answer {
    let last = settlement.events.last();
    let kept = match &settlement.next {
        Next::End { failure, .. } => failure.as_ref().map(ToString::to_string),
        _ => None,
    };
    let retried = || {
        let failure = last?.detail.as_ref()?.get("failure")?.clone();
        Some(serde_json::from_value::<Failure>(failure).ok()?.to_string())
    };
    let why = || kept.or_else(retried);
    let instead = match (settled, told, settlement.state) {
        (Settled::Aborted, _, _) => Some("somebody wanted the job aborted".to_owned()),
        (_, Told::Failed(_) | Told::HandedBack | Told::TimedOut, JobState::Aborted)
        | (_, Told::Completed(_), JobState::Aborted | JobState::Failed | JobState::Retrying)
        | (_, Told::HandedBack, JobState::Failed | JobState::Retrying) => why(),
        _ => None,
    };
    let is_aborted = settled == Settled::Aborted;
    Answer {
        job_id: settlement.job_id.clone(),
        state: if is_aborted { JobState::Aborted } else { settlement.state },
        stage: settlement.stage.clone(),
        instead,
    }
}
