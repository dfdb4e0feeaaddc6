//! Makes the children of a job, and has it wait for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::contract::{ChildOf, Contract, Gathered, kind_of};
use waystation_core::event::{Event, EventKind};
use waystation_core::id::{JobId, StageId};
use waystation_core::pipeline::{
    CHILDREN_BYTES_MAX, CHILDREN_MAX, DEPTH_MAX, FanOut, Gathering, Join, Over,
};
use waystation_core::settlement::{Message, NewJob, Next, Parent, Start, Tally, Turn};
use waystation_core::state::Step;

use super::onward::{Gone, Leaving, NoWay};
use super::{hand_to, key};
use crate::graph::Graph;

/// Why a job cannot be fanned out.
#[derive(Debug, thiserror::Error)]
pub enum NoFanOut {
    /// The list of items is none.
    #[error("param `{list}`, which stage `{stage}` fans out over, must be a list, not {found}")]
    NoList {
        /// The stage that ended.
        stage: StageId,
        /// The param.
        list: String,
        /// What it is.
        found: &'static str,
    },
    /// There would be too many children.
    #[error("stage `{stage}` would make {children} children, more than the {CHILDREN_MAX} allowed")]
    TooMany {
        /// The stage that ended.
        stage: StageId,
        /// How many.
        children: usize,
    },
    /// They would hold too much.
    #[error(
        "the contracts of the children of stage `{stage}` would hold more than the \
         {CHILDREN_BYTES_MAX} bytes allowed (hint: put payloads into files and their names into \
         the items)"
    )]
    TooLarge {
        /// The stage that ended.
        stage: StageId,
    },
    /// One of them would be larger than the queue takes.
    #[error(
        "the contract of child {child} of stage `{stage}` would be {bytes} bytes, more than the \
         {bytes_max} allowed (hint: put the payload into a blob and its reference into the item)"
    )]
    ChildTooLarge {
        /// The stage that ended.
        stage: StageId,
        /// The child.
        child: JobId,
        /// Its size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// There are fewer than are waited for.
    #[error("stage `{stage}` made {children} children, fewer than join `{join}` waits for")]
    TooFew {
        /// The stage that ended.
        stage: StageId,
        /// How many.
        children: usize,
        /// Where they were to come together.
        join: StageId,
    },
    /// Children of children of children …
    #[error("stage `{stage}` would make children more than {DEPTH_MAX} deep")]
    TooDeep {
        /// The stage that ended.
        stage: StageId,
    },
    /// It cannot be told where the children come together.
    #[error("it cannot be told where the children of stage `{stage}` come together")]
    NoJoin {
        /// The stage that ended.
        stage: StageId,
    },
}

/// A child to be.
struct Birth {
    /// What its id ends with.
    name: String,
    stage: StageId,
    params: Params,
}

/// Fans the job out. Where its children come together it waits for them; where they do not, it is
/// complete, and they are jobs of their own.
pub fn take_on(leaving: Leaving<'_>, over: &FanOut, mut contract: Contract) -> Result<Gone, NoWay> {
    let stage = leaving.stage;
    let pipeline = &leaving.graph.pipeline;
    let no_join = |_| NoFanOut::NoJoin { stage: stage.clone() };
    let join = pipeline.join_of(over).map_err(no_join)?;
    let births = births(stage, over, &mut contract)?;
    let family = Family::of(leaving, &contract, join.clone())?;
    let children = family.bear(leaving.graph, births.each(&contract.params))?;
    let Some(join) = join else { return leaving.end(&contract, children) };
    let merge = matches!(over.over, Over::Branches(_));
    let rule = pipeline.stage(&join).and_then(|stage| stage.join.clone()).unwrap_or_default();
    wait(leaving, contract, &join, &rule, merge, children)
}

/// Has the job wait at a stage until enough of its children have ended.
fn wait(
    leaving: Leaving<'_>,
    mut contract: Contract,
    join: &StageId,
    rule: &Join,
    merge: bool,
    children: Vec<NewJob>,
) -> Result<Gone, NoWay> {
    // Below the limits, both.
    let number = children.len() as u32;
    let gathering = rule.gathering(number, Tally::default());
    if gathering == Gathering::Failed {
        let (stage, children) = (leaving.stage.clone(), children.len());
        return Err(NoFanOut::TooFew { stage, children, join: join.clone() }.into());
    }
    let visit = contract.visit;
    contract.gathered = Some(Gathered { visit, children: number, merge });
    contract.visit += 1;
    let message = Message {
        queue: leaving.graph.queue_of(join),
        stage: join.clone(),
        priority: leaving.priority,
        not_before: None,
        turn: key::of(leaving.graph, join, &contract).map(|key| {
            // Of a job that waits where it is, nobody else's turn comes meanwhile.
            Turn { key, keeps_place: join == leaving.stage }
        }),
        body: contract.to_bytes(),
    };
    let stage = join.clone();
    if gathering == Gathering::Complete {
        let next = Next::Enqueue(message);
        return Ok(Gone { step: Step::Enqueue, next, stage, waiting: None, children });
    }
    let waiting = Some(leaving.waiting(&contract, join, Some(children.len())));
    let next = Next::Await(message, rule.quorum(visit, number));
    Ok(Gone { step: Step::Park, next, stage, waiting, children })
}

/// Another pipeline that a stage leaves its work to.
#[derive(Clone)]
pub struct Descent {
    /// The pipeline.
    pub graph: Arc<Graph>,
    /// Where its jobs start.
    pub entry: StageId,
}

/// Makes a child that goes through another pipeline, with the params of the job, which waits for it
/// where it is.
pub fn descend(leaving: Leaving<'_>, descent: &Descent, contract: Contract) -> Result<Gone, NoWay> {
    let through = Contract { exit_stage: None, loops: BTreeMap::new(), ..contract.clone() };
    let family = Family::of(leaving, &through, None)?;
    let Descent { graph, entry } = descent;
    let name = graph.pipeline.name.to_string();
    let birth = Birth { name, stage: entry.clone(), params: contract.params.clone() };
    let children = family.bear(graph, std::iter::once(birth))?;
    wait(leaving, contract, leaving.stage, &Join::default(), true, children)
}

/// Which children there are to be. A list of items does not stay with the job. They are made one
/// by one, so that no more is held than the limit allows.
fn births<'a>(
    stage: &StageId,
    over: &'a FanOut,
    contract: &mut Contract,
) -> Result<Births<'a>, NoFanOut> {
    match &over.over {
        Over::Branches(stages) => Ok(Births::Branches(stages)),
        Over::Items { to, list, item } => match contract.params.shift_remove(list) {
            Some(Value::Array(items)) if items.len() > CHILDREN_MAX => {
                Err(NoFanOut::TooMany { stage: stage.clone(), children: items.len() })
            }
            Some(Value::Array(items)) => Ok(Births::Items { to, item, items }),
            other => {
                let found = other.as_ref().map_or("absent", kind_of);
                Err(NoFanOut::NoList { stage: stage.clone(), list: list.clone(), found })
            }
        },
    }
}

/// Children to be.
enum Births<'a> {
    Branches(&'a [StageId]),
    Items { to: &'a StageId, item: &'a str, items: Vec<Value> },
}

impl<'a> Births<'a> {
    fn each(self, params: &'a Params) -> Box<dyn Iterator<Item = Birth> + 'a> {
        match self {
            Self::Branches(stages) => Box::new(stages.iter().map(|stage| Birth {
                name: stage.to_string(),
                stage: stage.clone(),
                params: params.clone(),
            })),
            Self::Items { to, item, items } => {
                let birth = move |(position, value): (usize, Value)| {
                    let mut params = params.clone();
                    params.insert(item.to_owned(), value);
                    Birth { name: position.to_string(), stage: to.clone(), params }
                };
                Box::new(items.into_iter().enumerate().map(birth))
            }
        }
    }
}

/// What children have of the job that makes them.
struct Family<'a> {
    leaving: Leaving<'a>,
    contract: &'a Contract,
    child_of: ChildOf,
}

impl<'a> Family<'a> {
    /// The family of a job whose children come together at this stage, if they do.
    fn of(
        leaving: Leaving<'a>,
        contract: &'a Contract,
        join: Option<StageId>,
    ) -> Result<Self, NoFanOut> {
        let above = contract.parent.as_ref().map_or(0, |parent| parent.depth);
        if above as usize >= DEPTH_MAX {
            return Err(NoFanOut::TooDeep { stage: leaving.stage.clone() });
        }
        let child_of = ChildOf { job_id: contract.job_id.clone(), join, depth: above + 1 };
        Ok(Self { leaving, contract, child_of })
    }

    fn bear(
        &self,
        graph: &Graph,
        births: impl Iterator<Item = Birth>,
    ) -> Result<Vec<NewJob>, NoFanOut> {
        let mut children = Vec::new();
        let mut room = CHILDREN_BYTES_MAX;
        for birth in births {
            let position = children.len() as u32;
            let child = self.child(graph, birth, position);
            let bytes = self.check_size(&child)?;
            let too_large = || NoFanOut::TooLarge { stage: self.leaving.stage.clone() };
            room = room.checked_sub(bytes).ok_or_else(too_large)?;
            children.push(child);
        }
        Ok(children)
    }

    /// The size of a child's contract, which the queue must take.
    fn check_size(&self, child: &NewJob) -> Result<usize, NoFanOut> {
        let bytes = match &child.start {
            Start::Queue(message) => message.body.len(),
            Start::Inbox(task) => task.body.len(),
        };
        let bytes_max = self.leaving.bytes_max;
        if bytes <= bytes_max {
            return Ok(bytes);
        }
        let (stage, child) = (self.leaving.stage.clone(), child.job_id.clone());
        Err(NoFanOut::ChildTooLarge { stage, child, bytes, bytes_max })
    }

    /// One child, in the graph of its pipeline. Its id is the same however often it is made: that
    /// of the job, the stage run, and its name.
    fn child(&self, graph: &Graph, birth: Birth, position: u32) -> NewJob {
        let Birth { name, stage, params } = birth;
        let Contract { job_id, visit, exit_stage, loops, deadline, other, .. } = self.contract;
        let child_id = JobId::new(format!("{job_id}.{visit}-{name}"));
        let mut contract = Contract {
            exit_stage: exit_stage.clone(),
            pipeline: Some(graph.pipeline.name.clone()),
            pipeline_version: Some(graph.version),
            parent: Some(self.child_of.clone()),
            // What was used up is used up, also for those that come round again.
            loops: loops.clone(),
            deadline: *deadline,
            other: other.clone(),
            ..Contract::new(child_id.clone(), params)
        };
        contract.forget_epochs();
        let (_, next) = hand_to(graph, &stage, &contract, self.leaving.priority);
        let parent = Parent { job_id: job_id.clone(), visit: *visit, position };
        let created = Event {
            job_id: child_id.clone(),
            kind: EventKind::Created,
            stage,
            visit: 1,
            attempt: 1,
            at: self.leaving.at,
            detail: Some(json!({ "parent": parent })),
        };
        let mut events = vec![created.clone()];
        let start = match next {
            Next::Park(task) => {
                events.push(Event { kind: EventKind::Waiting, detail: None, ..created });
                Start::Inbox(task)
            }
            Next::Enqueue(message) => Start::Queue(message),
            // `hand_to` gives no others.
            _ => unreachable!("a new job starts somewhere"),
        };
        NewJob {
            job_id: child_id,
            pipeline: graph.pipeline.name.clone(),
            pipeline_version: graph.version,
            dedupe: None,
            parent: Some(parent),
            start,
            events,
        }
    }
}
