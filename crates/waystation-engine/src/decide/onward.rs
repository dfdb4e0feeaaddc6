//! Takes a job on from a stage that ended: to the next one, to several at once, or to its end.

use serde_json::json;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::event::{Event, EventKind};
use waystation_core::id::{Label, StageId};
use waystation_core::pipeline::{NoRoute, Onward, Pipeline};
use waystation_core::settlement::{NewJob, Next, Priority};
use waystation_core::state::Step;

use super::fan_out::{self, NoFanOut};
use super::hand_to;
use crate::graph::Graph;

/// A stage that ended.
#[derive(Clone, Copy)]
pub struct Leaving<'a> {
    /// Where the job may go.
    pub graph: &'a Graph,
    /// The stage.
    pub stage: &'a StageId,
    /// How it ended.
    pub label: &'a Label,
    /// The priority that the job goes on with.
    pub priority: Priority,
    /// When it ended.
    pub at: Timestamp,
    /// The largest contract that the queue takes.
    pub bytes_max: usize,
}

/// A job that goes on or is complete.
#[derive(Debug)]
pub struct Gone {
    /// What happens to it.
    pub step: Step,
    /// Where it is from now on.
    pub next: Next,
    /// At which stage.
    pub stage: StageId,
    /// That it waits there, where it does.
    pub waiting: Option<Event>,
    /// The jobs that were made of it.
    pub children: Vec<NewJob>,
}

/// Why a job cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum NoWay {
    /// No route takes it.
    #[error(transparent)]
    NoRoute(#[from] NoRoute),
    /// It cannot be fanned out.
    #[error(transparent)]
    NoFanOut(#[from] NoFanOut),
    /// Its contract would be too large.
    #[error(
        "the contract would be {bytes} bytes after stage `{stage}`, more than the {bytes_max} \
         allowed (hint: `offload: true` at the stage, or a blob and its reference)"
    )]
    TooLarge {
        /// The stage that ended.
        stage: StageId,
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
}

impl Leaving<'_> {
    /// Takes the job on. Its contract has what the stage gave; its stage run is the one that ended.
    pub fn take_on(self, mut contract: Contract) -> Result<Gone, NoWay> {
        let pipeline = &self.graph.pipeline;
        let way = pipeline.onward(self.stage, self.label, (&contract).into())?;
        if let Some(route) = way.route.filter(|route| route.at_most.is_some()) {
            *contract.loops.entry(route.loop_key()).or_default() += 1;
        }
        contract.retry_count = 0;
        contract.gathered = None;
        match way.to {
            Onward::FanOut(fan_out) => {
                let gone = fan_out::take_on(self, fan_out, contract)?;
                self.check_size(&gone)?;
                Ok(gone)
            }
            Onward::To(next) if !ends_at(&contract, next) => self.to(next, contract),
            Onward::To(_) | Onward::Done => self.end(&contract, Vec::new()),
        }
    }

    /// To one stage.
    pub(super) fn to(self, next: &StageId, mut contract: Contract) -> Result<Gone, NoWay> {
        contract.visit = next_visit(&self.graph.pipeline, &contract, next);
        let (step, place) = hand_to(self.graph, next, &contract, self.priority);
        let waiting = (step == Step::Park).then(|| self.waiting(&contract, next, None));
        let gone = Gone { step, next: place, stage: next.clone(), waiting, children: Vec::new() };
        self.check_size(&gone)?;
        Ok(gone)
    }

    /// To its end.
    pub(super) fn end(self, contract: &Contract, children: Vec<NewJob>) -> Result<Gone, NoWay> {
        let next = Next::End { body: contract.to_bytes(), failure: None };
        let (step, stage) = (Step::Complete, self.stage.clone());
        let gone = Gone { step, next, stage, waiting: None, children };
        self.check_size(&gone)?;
        Ok(gone)
    }

    /// That the job waits at a stage: for a person, or for so many children.
    pub(super) fn waiting(
        self,
        contract: &Contract,
        stage: &StageId,
        children: Option<usize>,
    ) -> Event {
        Event {
            job_id: contract.job_id.clone(),
            kind: EventKind::Waiting,
            stage: stage.clone(),
            visit: contract.visit,
            attempt: 1,
            at: self.at,
            detail: children.map(|children| json!({ Event::CHILDREN: children })),
        }
    }

    fn check_size(self, gone: &Gone) -> Result<(), NoWay> {
        let bytes = match &gone.next {
            Next::Enqueue(message) | Next::Await(message, _) => message.body.len(),
            Next::Park(task) => task.body.len(),
            Next::End { body, .. } => body.len(),
            Next::HandBack | Next::Drop | Next::HandOver => 0,
        };
        if bytes <= self.bytes_max {
            return Ok(());
        }
        Err(NoWay::TooLarge { stage: self.stage.clone(), bytes, bytes_max: self.bytes_max })
    }
}

/// Whether a job ends where it comes to this stage: a child does where its parent waits for it.
pub fn ends_at(contract: &Contract, stage: &StageId) -> bool {
    let join = contract.parent.as_ref().and_then(|parent| parent.join.as_ref());
    join == Some(stage)
}

/// The number of the next stage run. A contract that came without any of our fields goes on without
/// them where it can: its stage alone names the run where no job comes back to.
pub fn next_visit(pipeline: &Pipeline, contract: &Contract, next: &StageId) -> u32 {
    let plain = contract.pipeline.is_none() && contract.visit == 1;
    if plain && !pipeline.is_on_circle(next) { 1 } else { contract.visit + 1 }
}

#[cfg(test)]
mod tests {
    use waystation_core::Params;
    use waystation_core::pipeline::{Route, Stage};

    use super::*;

    #[test]
    fn plain_contract_stays_plain_where_no_job_comes_back() {
        let stages = ["detect", "classify", "predict"].map(|name| Stage::new(name, "x"));
        let mut pipeline = Pipeline::chain("images", stages.to_vec());
        let plain = Contract::new("a".into(), Params::new());
        let ours = Contract { pipeline: Some("images".into()), ..plain.clone() };
        let counted = Contract { visit: 2, ..plain.clone() };
        let visits = |pipeline: &Pipeline| {
            [&plain, &ours, &counted]
                .map(|contract| next_visit(pipeline, contract, &"classify".into()))
        };
        assert_eq!(visits(&pipeline), [1, 2, 3]);
        pipeline.routes.push(Route::new("predict", "detect"));
        assert_eq!(visits(&pipeline), [2, 2, 3]);
    }
}
