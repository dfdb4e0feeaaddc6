//! A queue that fails when it is told to.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use waystation_core::id::QueueName;
use waystation_core::job::Checkpoint;
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
}

/// A queue that fails when it is told to, with [`Error::Unavailable`], and else does what the
/// queue inside does. Clones share what they were told.
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
        let plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.counted.get(&call).copied().unwrap_or(0)
    }

    fn plan_calls(&self, call: Call, fate: Option<Moment>, times: usize) {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let coming = plan.coming.entry(call).or_default();
        coming.extend(std::iter::repeat_n(fate, times));
    }

    async fn attempt<Answer>(
        &self,
        call: Call,
        inner: impl Future<Output = Result<Answer, Error>> + Send,
    ) -> Result<Answer, Error> {
        let fate = self.next_fate(call);
        if fate == Some(Moment::Before) {
            return Err(planned(call));
        }
        let answer = inner.await?;
        if fate == Some(Moment::After) {
            return Err(planned(call));
        }
        Ok(answer)
    }

    fn next_fate(&self, call: Call) -> Option<Moment> {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        *plan.counted.entry(call).or_insert(0) += 1;
        plan.coming.get_mut(&call)?.pop_front()?
    }
}

fn planned(call: Call) -> Error {
    Error::Unavailable {
        name: "flaky queue".to_owned(),
        message: format!("the test wants this {call:?} to fail"),
    }
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

    async fn depth(&self, queue: &QueueName) -> Result<Depth, Error> {
        self.attempt(Call::Depth, self.inner.depth(queue)).await
    }
}
