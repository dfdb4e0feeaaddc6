//! What is to be done, as values. Nothing here waits, writes or reads a clock.

mod answer;
mod deadline;
mod fan_out;
mod gather;
mod input;
mod job;
pub(crate) mod key;
pub(crate) mod offload;
mod onward;
mod outcome;
mod poison;
mod requeue;
mod unready;

use waystation_core::contract::Contract;
use waystation_core::id::StageId;
use waystation_core::pipeline::StageKind;
use waystation_core::settlement::{Message, Next, Priority, Task, Turn};
use waystation_core::state::Step;

use crate::graph::Graph;

pub use answer::{Answer, Refusal, settle_answer};
pub use deadline::{Limit, check_deadline};
pub use fan_out::Descent;
pub use gather::{Gatherer, Together};
pub use input::Input;
pub use job::{Plan, new_job};
pub use key::{InLine, check_key, in_line, stays_before_its_key};
pub use onward::ends_at;
pub use outcome::{
    Attempt, Outcome, check_required, is_wanted, passes_by, running, settle_outcome, told,
};
pub use poison::is_poison;
pub use requeue::{NoRequeue, Requeue, settle_drop, settle_requeue};
pub use unready::{Unready, refused_as_too_large};

/// Takes a contract to a stage: into its queue, or into the inbox when a person does it.
pub fn hand_to(
    graph: &Graph,
    stage: &StageId,
    contract: &Contract,
    priority: Priority,
) -> (Step, Next) {
    if graph.kind(stage) == Some(StageKind::Manual) {
        let task = Task { stage: stage.clone(), body: contract.to_bytes() };
        return (Step::Park, Next::Park(task));
    }
    let message = Message {
        queue: graph.queue_of(stage),
        stage: stage.clone(),
        priority,
        not_before: None,
        turn: key::of(graph, stage, contract).map(Turn::last),
        body: contract.to_bytes(),
    };
    (Step::Enqueue, Next::Enqueue(message))
}
