//! A queue that fails when it is told to.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use waystation_core::id::QueueName;
use waystation_core::job::Checkpoint;
use waystation_core::journal::Entry;
use waystation_core::port::{Capabilities, Depth, Error, Extended, Queue, Receive};
use waystation_core::settlement::{Delivery, Lease, NewJob, Settled, Settlement, Submitted};

/// A call of the queue port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// [`Queue::submit`].
    Submit,
    /// [`Queue::receive`].
    Receive,
    /// [`Queue::extend`].
    Extend,
    /// [`Queue::settle`].
    Settle,
    /// [`Queue::leave`].
    Leave,
    /// [`Queue::abandon`].
    Abandon,
    /// [`Queue::depth`].
    Depth,
}

/// When a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing has happened.
    Before,
    /// All has happened, but the caller does not hear of it.
    After,
    /// Nothing has happened, and it is of no use to ask again.
    ForGood,
}

/// A queue that fails when it is told to, with [`Error::Unavailable`] or for good with
/// [`Error::Broken`], and else does what the queue inside does. Clones share what they were told.
#[derive(Clone)]
pub struct Flaky {
    inner: Arc<dyn Queue>,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Default)]
struct Plan {
    /// What happens to the next calls; `None` lets one pass.
    coming: HashMap<Call, VecDeque<Option<Moment>>>,
    counted: HashMap<Call, u64>,
    abandoned: Vec<Lease>,
}

impl Flaky {
    /// A queue that fails at nothing yet.
    pub fn new(inner: Arc<dyn Queue>) -> Self {
        Self { inner, plan: Arc::default() }
    }

    /// Makes this many calls fail, after those that were planned before.
    pub fn fail(&self, call: Call, moment: Moment, times: usize) {
        self.plan_calls(call, Some(moment), times);
    }

    /// Lets this many calls pass, after those that were planned before.
    pub fn pass(&self, call: Call, times: usize) {
        self.plan_calls(call, None, times);
    }

    /// How often this call was made, failed ones included.
    pub fn calls(&self, call: Call) -> u64 {
        self.plan().counted.get(&call).copied().unwrap_or(0)
    }

    /// What was abandoned, in its order.
    pub fn abandoned(&self) -> Vec<Lease> {
        self.plan().abandoned.clone()
    }

    fn plan_calls(&self, call: Call, fate: Option<Moment>, times: usize) {
        let mut plan = self.plan();
        let coming = plan.coming.entry(call).or_default();
        coming.extend(std::iter::repeat_n(fate, times));
    }

    async fn attempt<Answer>(
        &self,
        call: Call,
        inner: impl Future<Output = Result<Answer, Error>> + Send,
    ) -> Result<Answer, Error> {
        let fate = self.next_fate(call);
        match fate {
            None => inner.await,
            Some(Moment::Before) => Err(planned(call)),
            Some(Moment::ForGood) => Err(planned_for_good(call)),
            Some(Moment::After) => {
                inner.await?;
                Err(planned(call))
            }
        }
    }

    fn next_fate(&self, call: Call) -> Option<Moment> {
        let mut plan = self.plan();
        *plan.counted.entry(call).or_insert(0) += 1;
        plan.coming.get_mut(&call)?.pop_front()?
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn planned(call: Call) -> Error {
    let message = format!("the test wants this {call:?} to fail");
    Error::Unavailable { name: "flaky queue".to_owned(), message }
}

fn planned_for_good(call: Call) -> Error {
    let message = format!("the test wants this {call:?} to fail for good");
    Error::Broken { name: "flaky queue".to_owned(), message }
}

#[async_trait]
impl Queue for Flaky {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn submit(
        &self,
        jobs: Vec<NewJob>,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Vec<Submitted>, Error> {
        self.attempt(Call::Submit, self.inner.submit(jobs, checkpoint)).await
    }

    async fn receive(&self, request: Receive) -> Result<Vec<Delivery>, Error> {
        self.attempt(Call::Receive, self.inner.receive(request)).await
    }

    async fn extend(&self, leases: Vec<Lease>, lease: Duration) -> Result<Vec<Extended>, Error> {
        self.attempt(Call::Extend, self.inner.extend(leases, lease)).await
    }

    async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, Error> {
        self.attempt(Call::Settle, self.inner.settle(settlements)).await
    }

    async fn began(&self, entry: Entry) -> Result<(), Error> {
        self.inner.began(entry).await
    }

    async fn make_room(&self, queue: &QueueName, out: usize) -> Result<(), Error> {
        self.inner.make_room(queue, out).await
    }

    async fn leave(&self, queue: &QueueName) -> Result<(), Error> {
        self.attempt(Call::Leave, self.inner.leave(queue)).await
    }

    async fn abandon(&self, leases: &[Lease]) -> Result<(), Error> {
        self.plan().abandoned.extend_from_slice(leases);
        self.attempt(Call::Abandon, self.inner.abandon(leases)).await
    }

    async fn depth(&self, queue: &QueueName) -> Result<Depth, Error> {
        self.attempt(Call::Depth, self.inner.depth(queue)).await
    }
}
