//! By what a job is told apart at a stage.

use waystation_core::Params;
use waystation_core::contract::Contract;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::StageId;
use waystation_core::key::Key;
use waystation_core::pipeline::{Executor, Pipeline, Problem, Stage};
use waystation_core::settlement::{Delivery, Ended, Next, Settlement};

use crate::graph::Graph;

/// How a delivery stands to the order of its stage.
pub enum InLine {
    /// As it must.
    Yes,
    /// It came past the order: it has this key, and no turn.
    Past(Key),
}

/// The key of a contract at a stage, where it can be told. Of one whose key cannot be told the
/// attempt fails, with why: it has no place in any order.
pub fn of(graph: &Graph, stage: &StageId, contract: &Contract) -> Option<Key> {
    let keyed = graph.pipeline.stage(stage)?.key.as_ref()?;
    keyed.key_of(&contract.params).ok()
}

/// Refuses params of which the stage cannot tell a key.
pub fn check_key(stage: &Stage, params: &Params) -> Result<(), Failure> {
    key_at(stage, params).map(drop)
}

/// Whether a delivery came in its turn. Programs that know nothing of keys may have put it there.
pub fn in_line(stage: &Stage, delivery: &Delivery, params: &Params) -> Result<InLine, Failure> {
    if delivery.key.is_some() {
        return Ok(InLine::Yes);
    }
    Ok(key_at(stage, params)?.map_or(InLine::Yes, InLine::Past))
}

/// The stages whose keys a queue apart from its store cannot keep: the order is in the queue, and
/// these stages leave it with a job in hand, or are worked on past it.
pub fn unkept(
    pipeline: &Pipeline,
    executor: impl Fn(&StageId) -> Option<Executor>,
) -> Vec<Problem> {
    let keyed = pipeline.stages.iter().filter(|stage| stage.key.is_some());
    let unkept = keyed.filter_map(|stage| {
        let why = match executor(&stage.id)? {
            Executor::Pipeline(_) => "leaves its work to another pipeline",
            Executor::Foreign => "is worked on by a foreign program",
            _ => return None,
        };
        let message = format!("stage `{}` takes jobs by key and {why}", stage.id);
        let hint = "a broker keeps no key meanwhile: use a store alone, or leave the key out";
        Some(Problem::new(message).hint(hint))
    });
    unkept.collect()
}

/// Whether a delivery that ends so stays before all that came behind it with its key.
pub fn stays_before_its_key(settlement: &Settlement) -> bool {
    match (&settlement.next, &settlement.ended) {
        (Next::HandBack, _) => true,
        (Next::Enqueue(message) | Next::Await(message, _), Ended::Delivery(lease)) => {
            let keeps = message.turn.as_ref().is_some_and(|turn| turn.keeps_place);
            keeps && message.queue == lease.queue
        }
        _ => false,
    }
}

fn key_at(stage: &Stage, params: &Params) -> Result<Option<Key>, Failure> {
    let Some(keyed) = &stage.key else { return Ok(None) };
    let failed =
        |error| Failure::new(ErrorKind::Contract, format!("stage `{}`: {error}", stage.id));
    keyed.key_of(params).map(Some).map_err(failed)
}
