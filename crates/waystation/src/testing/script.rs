//! What a test wants of the stages: failures, attempts that are held, stand-ins.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler, Signature};
use waystation_core::id::StageId;

use super::Error;

/// What a test wants of the stages. Clones share it.
#[derive(Clone, Default)]
pub struct Script(Arc<Mutex<BTreeMap<StageId, Part>>>);

/// One stage's part.
#[derive(Default)]
struct Part {
    /// What happens to the next attempts, one each.
    coming: VecDeque<Turn>,
    stand_in: Option<Arc<dyn Handler>>,
    /// What each attempt was given.
    calls: Vec<Params>,
}

/// What happens to an attempt.
pub enum Turn {
    /// It fails, and the code is not run.
    Fail(Failure),
    /// It waits before the code is run.
    Hold(Arc<Gate>),
}

/// Where an attempt waits.
#[derive(Debug, Default)]
pub struct Gate {
    began: Notify,
    released: Notify,
}

/// An attempt that waits until the test lets it go on.
#[derive(Debug)]
pub struct Held {
    gate: Arc<Gate>,
    wait_max: Duration,
}

/// The code of a stage as the script has it.
pub struct Scripted {
    /// The stage.
    pub stage: StageId,
    /// Its own code; a foreign stage has none here.
    pub code: Option<Arc<dyn Handler>>,
    /// What the test wants.
    pub script: Script,
}

impl Script {
    /// Gives a stage a part, if it has none.
    pub fn cast(&self, stage: &StageId) {
        self.parts().entry(stage.clone()).or_default();
    }

    /// Plans the attempt after those that were planned before. Panics when no worker stage has
    /// this name: it is a mistake in the test.
    #[track_caller]
    pub fn plan(&self, stage: &str, turn: Turn) {
        self.with(stage, |part| part.coming.push_back(turn));
    }

    /// Has other code run from now on.
    #[track_caller]
    pub fn stand_in(&self, stage: &str, handler: Arc<dyn Handler>) {
        self.with(stage, |part| part.stand_in = Some(handler));
    }

    /// What the attempts at a stage were given so far.
    #[track_caller]
    pub fn calls(&self, stage: &str) -> Vec<Params> {
        self.with(stage, |part| part.calls.clone())
    }

    #[track_caller]
    fn with<T>(&self, stage: &str, act: impl FnOnce(&mut Part) -> T) -> T {
        let mut parts = self.parts();
        if let Some(part) = parts.get_mut(stage) {
            return act(part);
        }
        let known = parts.keys().map(StageId::as_str).collect::<Vec<_>>().join(", ");
        drop(parts);
        panic!("there is no worker stage `{stage}` (there are: {known})");
    }

    /// An attempt begins.
    fn next(&self, stage: &StageId, params: &Params) -> (Option<Turn>, Option<Arc<dyn Handler>>) {
        let mut parts = self.parts();
        let part = parts.entry(stage.clone()).or_default();
        part.calls.push(params.clone());
        (part.coming.pop_front(), part.stand_in.clone())
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<StageId, Part>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    pub(super) fn new(wait_max: Duration) -> (Self, Turn) {
        let gate = Arc::<Gate>::default();
        (Self { gate: Arc::clone(&gate), wait_max }, Turn::Hold(gate))
    }

    /// Returns when the attempt has come, and waits.
    pub async fn began(&self) -> Result<(), Error> {
        let came = tokio::time::timeout(self.wait_max, self.gate.began.notified()).await;
        came.map_err(|_| Error::TooLong {
            what: "the attempt that is to be held did not begin",
            waited: self.wait_max,
            stands: vec!["no job came to the stage".to_owned()],
        })
    }

    /// Lets it go on.
    pub fn release(&self) {
        self.gate.released.notify_one();
    }
}

impl Gate {
    async fn pass(&self, context: &Context) -> Result<(), Failure> {
        self.began.notify_one();
        tokio::select! {
            () = self.released.notified() => Ok(()),
            () = context.cancellation.cancelled() => {
                Err(Failure::transient("told to stop while the test held it"))
            }
        }
    }
}

#[async_trait]
impl Handler for Scripted {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let (turn, stand_in) = self.script.next(&self.stage, &params);
        match turn {
            Some(Turn::Fail(failure)) => return Err(failure),
            Some(Turn::Hold(gate)) => gate.pass(&context).await?,
            None => {}
        }
        let Some(code) = stand_in.as_ref().or(self.code.as_ref()) else {
            let message = format!("stage `{}` is foreign (hint: give it a stand-in)", self.stage);
            return Err(Failure::new(ErrorKind::Permanent, message));
        };
        code.run(context, params).await
    }

    fn signature(&self) -> Signature {
        self.code.as_ref().map(|code| code.signature()).unwrap_or_default()
    }
}
