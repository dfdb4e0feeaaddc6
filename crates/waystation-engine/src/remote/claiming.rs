//! Takes deliveries for those who ask, and makes claims of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use serde_json::Value;
use tokio::sync::oneshot;
use waystation_core::clock::Timestamp;
use waystation_core::port::{Purpose, Receive};
use waystation_core::settlement::{Delivery, Settlement};

use super::claims::Slot;
use super::ending::Told;
use super::posts::Post;
use super::service::Inner;
use super::token::Token;
use super::{CLAIM_MAX, Claim, ClaimRequest, Error, LEASE_MAX, LEASE_MIN, WAIT_MAX};
use crate::stop::Stop;
use crate::worker::attempt::{Begun, Finished};

/// The longest name of a worker.
const WORKER_BYTES_MAX: usize = 100;

type Received = Vec<(Arc<Post>, Vec<Delivery>)>;
type Answering = oneshot::Sender<Result<Vec<Claim>, Error>>;

/// A request with its bounds.
struct Asked {
    posts: Vec<Arc<Post>>,
    max: usize,
    until: Instant,
    lease: Duration,
    worker: String,
}

impl Inner {
    /// Takes jobs for a worker. What goes on does so by itself, so that nothing is left in between
    /// when whoever asked is gone.
    pub async fn claim(self: &Arc<Self>, request: ClaimRequest) -> Result<Vec<Claim>, Error> {
        let asked = self.asked(&request).await?;
        let (answer, claims) = oneshot::channel();
        tokio::spawn(Arc::clone(self).answer(asked, answer));
        claims.await.unwrap_or(Err(Error::Stopping))
    }

    async fn asked(&self, request: &ClaimRequest) -> Result<Asked, Error> {
        let name = &request.worker;
        let fits = (1..=WORKER_BYTES_MAX).contains(&name.len());
        if !fits || name.chars().any(char::is_control) {
            return Err(Error::Worker(name.clone()));
        }
        if self.stop.is_cancelled() {
            return Err(Error::Stopping);
        }
        let posts = self.posts.wanted(request).await?;
        self.callers.asked(name, &posts, self.now());
        let room = self.options.claims_max.saturating_sub(self.claims.held());
        if room == 0 {
            return Err(Error::TooMany(self.options.claims_max));
        }
        let lease = request.lease.map(|lease| lease.clamp(LEASE_MIN, LEASE_MAX));
        Ok(Asked {
            posts,
            max: request.max.min(CLAIM_MAX).min(room),
            until: Instant::now() + request.wait.min(WAIT_MAX),
            lease: lease.unwrap_or(self.options.lease),
            worker: name.clone(),
        })
    }

    /// Answers whoever asked; gives back what nobody takes.
    async fn answer(self: Arc<Self>, asked: Asked, mut answer: Answering) {
        loop {
            let received = tokio::select! {
                biased;
                () = answer.closed() => return,
                () = self.stop.cancelled() => Err(Error::Stopping),
                received = self.receive(&asked) => received,
            };
            let claims = match received {
                Ok(received) => Ok(self.begin(received, &asked).await),
                Err(error) => Err(error),
            };
            let nothing = claims.as_ref().is_ok_and(Vec::is_empty);
            if nothing && Instant::now() < asked.until {
                continue;
            }
            if let Err(Ok(claims)) = answer.send(claims) {
                for claim in claims {
                    if let Err(error) = self.end(&claim.claim_id, Told::HandedBack).await {
                        tracing::debug!(job = %claim.job_id, %error, "claim ends with its lease");
                    }
                }
            }
            return;
        }
    }

    /// What there is, or what comes first while it waits; nothing once the wait is over.
    async fn receive(&self, asked: &Asked) -> Result<Received, Error> {
        let mut gate = self.gate.watched();
        let open: Vec<_> = asked
            .posts
            .iter()
            .filter(|post| {
                post.asked();
                self.carrying.want(post);
                self.gate.stops(&post.pipeline, &post.stage, &post.queue).is_none()
            })
            .collect();
        let mut received = Vec::new();
        let mut left = asked.max;
        for post in &open {
            if left == 0 {
                break;
            }
            let deliveries = self.take(post, asked, left, Duration::ZERO).await?;
            left -= deliveries.len();
            if !deliveries.is_empty() {
                received.push((Arc::clone(post), deliveries));
            }
        }
        let wait = asked.until.saturating_duration_since(Instant::now());
        if !received.is_empty() || wait.is_zero() {
            return Ok(received);
        }
        let waiting = open.iter().map(|post| async move {
            (Arc::clone(post), self.take(post, asked, asked.max, wait).await)
        });
        let mut waiting: FuturesUnordered<_> = waiting.collect();
        loop {
            tokio::select! {
                Some((post, deliveries)) = waiting.next() => {
                    let deliveries = deliveries?;
                    if !deliveries.is_empty() {
                        return Ok(vec![(post, deliveries)]);
                    }
                }
                () = gate.changed() => return Ok(Vec::new()),
                () = tokio::time::sleep_until(asked.until.into()) => return Ok(Vec::new()),
            }
        }
    }

    async fn take(
        &self,
        post: &Post,
        asked: &Asked,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Delivery>, Error> {
        let _wanting = post.wants(max);
        self.make_room(post).await?;
        let (queue, lease) = (post.queue.clone(), asked.lease);
        let request = Receive { queue, max, wait, lease, purpose: Purpose::Work, together: 1 };
        Ok(self.client.backend().queue.receive(request).await?)
    }

    /// Has as many sent here as are out and wanted: who waits does so beside those who work.
    pub async fn make_room(&self, post: &Post) -> Result<(), Error> {
        let out = self.out_and_wanted(post);
        post.room().tell(out);
        Ok(self.client.backend().queue.make_room(&post.queue, out).await?)
    }

    pub fn out_and_wanted(&self, post: &Post) -> usize {
        self.claims.held_of(&post.queue) + post.wanted()
    }

    /// Begins attempts. What comes to nothing is settled at once.
    async fn begin(&self, received: Received, asked: &Asked) -> Vec<Claim> {
        let begun = received.iter().flat_map(|(post, deliveries)| {
            deliveries.iter().map(move |delivery| self.begin_one(post, delivery.clone(), asked))
        });
        let (mut claims, mut settlements) = (Vec::new(), Vec::new());
        for one in join_all(begun.map(FutureExt::boxed)).await {
            match one {
                Ok(claim) => claims.push(claim),
                Err(settlement) => settlements.extend(settlement),
            }
        }
        if !settlements.is_empty() {
            let answers = self.client.backend().queue.settle(settlements.into()).await;
            if let Err(error) = answers {
                tracing::warn!(%error, "not settled, and tried again when the leases have ended");
            }
        }
        for (post, _) in received.iter().filter(|(post, _)| post.wanted() > 0) {
            if let Err(error) = self.make_room(post).await {
                tracing::debug!(queue = %post.queue, %error, "others wait until they ask again");
            }
        }
        claims
    }

    async fn begin_one(
        &self,
        post: &Arc<Post>,
        delivery: Delivery,
        asked: &Asked,
    ) -> Result<Claim, Option<Settlement>> {
        let stop = Arc::new(Stop::default());
        let mut begun = match post.attempter.begin(delivery, &stop).await {
            Ok(begun) => begun,
            Err(Finished::Settle(settlement)) => return Err(Some(*settlement)),
            Err(Finished::LeaseLost(_)) => return Err(None),
        };
        let lease_until = self.now().plus(asked.lease);
        let token = token_of(&begun, post, asked);
        let claim = claim_of(&mut begun, &token, lease_until);
        if !self.client.backend().queue.capabilities().atomic_settlement {
            post.attempter.tell_begun(&begun).await;
        }
        let slot = Slot::new(begun, token, post, stop, lease_until);
        self.claims.insert(claim.claim_id.clone(), slot);
        Ok(claim)
    }
}

fn token_of(begun: &Begun, post: &Post, asked: &Asked) -> Token {
    let Begun { contract, delivery, limit, started_at, .. } = begun;
    Token {
        job_id: contract.job_id.clone(),
        pipeline: post.pipeline.clone(),
        stage: post.stage.clone(),
        visit: contract.visit,
        attempt: contract.retry_count + 1,
        queue: post.queue.clone(),
        delivery_id: delivery.lease.delivery_id,
        fence: delivery.lease.token,
        deliveries: delivery.deliveries,
        priority: delivery.priority,
        key: delivery.key.clone(),
        enqueued_at: delivery.enqueued_at,
        started_at: *started_at,
        over_at: limit.map(|limit| limit.until),
        lease_ms: u64::try_from(asked.lease.as_millis()).unwrap_or(u64::MAX),
        worker: asked.worker.clone(),
    }
}

/// What the worker is told. Takes what only the worker needs.
fn claim_of(begun: &mut Begun, token: &Token, lease_until: Timestamp) -> Claim {
    let params = std::mem::take(&mut begun.input.params);
    begun.input.wire = Arc::default();
    let Begun { contract, definition, stage, .. } = begun;
    let Token { job_id, visit, .. } = token;
    let traceparent = contract.other.get("traceparent").and_then(Value::as_str);
    Claim {
        claim_id: token.to_id(),
        job_id: job_id.clone(),
        pipeline: token.pipeline.clone(),
        version: definition.version,
        stage: stage.clone(),
        visit: *visit,
        attempt: token.attempt,
        deliveries: token.deliveries,
        idempotency_key: format!("{job_id}/{stage}/{visit}"),
        params,
        deadline: token.over_at,
        lease_until,
        traceparent: traceparent.map(str::to_owned),
        meta: contract.other.get("meta").cloned(),
    }
}
