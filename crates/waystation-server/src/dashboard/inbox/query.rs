//! What the inbox shows.

use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::contract::Contract;
use waystation_core::form::Form;
use waystation_core::id::{PipelineName, StageId};
use waystation_core::job::{Holder, TaskFilter, TaskRecord};
use waystation_core::port;
use waystation_engine::DefinitionError;

use crate::context::Context;
use crate::dashboard::href;

/// How many tasks are listed.
const LISTED: usize = 50;

/// Which tasks somebody wants to see.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this pipeline.
    pub pipeline: String,
    /// At this stage.
    pub stage: String,
    /// Theirs alone, where it is `mine`; those that they could answer, where it is `free`.
    pub whose: String,
}

/// What the inbox shows.
pub struct Inbox {
    /// The present moment.
    pub now: Timestamp,
    /// Which tasks.
    pub filter: Filter,
    /// The oldest of them.
    pub tasks: Vec<TaskRecord>,
    /// Whether there are more.
    pub is_cut: bool,
}

/// A task that is open.
pub struct Opened {
    /// The task.
    pub task: TaskRecord,
    /// The job's params.
    pub params: Params,
    /// What the answer must hold; or why nobody knows.
    pub form: Result<Form, String>,
}

impl Filter {
    /// Reads an address's query.
    pub fn read(pairs: &[(String, String)]) -> Self {
        let field = |name: &str| {
            let found = pairs.iter().rev().find(|(known, _)| known == name);
            found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
        };
        Self { pipeline: field("pipeline"), stage: field("stage"), whose: field("whose") }
    }

    /// The query that says the same.
    pub fn query(&self) -> String {
        let Self { pipeline, stage, whose } = self;
        href::query([("pipeline", &**pipeline), ("stage", &**stage), ("whose", &**whose)])
    }

    /// The store's filter, for this person.
    fn to_store(&self, person: &str, limit: usize) -> TaskFilter {
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        TaskFilter {
            pipeline: given(&self.pipeline).map(PipelineName::from),
            stage: given(&self.stage).map(StageId::from),
            holder: match &*self.whose {
                "mine" => Holder::Person(person.to_owned()),
                "free" => Holder::PersonOrNobody(person.to_owned()),
                _ => Holder::Any,
            },
            ..TaskFilter::first(limit)
        }
    }
}

/// Reads the list.
pub async fn list(context: &Context, filter: Filter, person: &str) -> Result<Inbox, port::Error> {
    let store = &context.backend().store;
    let mut tasks = store.tasks(filter.to_store(person, LISTED + 1)).await?;
    let is_cut = tasks.len() > LISTED;
    tasks.truncate(LISTED);
    Ok(Inbox { now: context.now(), filter, tasks, is_cut })
}

/// The task that comes after this one for somebody: the oldest newer one that is free or theirs,
/// and the oldest of all after the last.
pub async fn next(
    context: &Context,
    filter: &Filter,
    person: &str,
    after: i64,
) -> Result<Option<i64>, port::Error> {
    let store = &context.backend().store;
    let holder = Holder::PersonOrNobody(person.to_owned());
    let wanted = TaskFilter { holder, ..filter.to_store(person, 1) };
    let behind = TaskFilter { after: Some(after), ..wanted.clone() };
    let found = match store.tasks(behind).await?.first() {
        Some(task) => Some(task.task_id),
        None => store.tasks(wanted).await?.first().map(|task| task.task_id),
    };
    Ok(found.filter(|task_id| *task_id != after))
}

/// Opens a task; none when it is not there, or not any more.
pub async fn open(context: &Context, task_id: i64) -> Result<Option<Opened>, port::Error> {
    let Some(task) = context.backend().store.task(task_id).await? else { return Ok(None) };
    let contract = Contract::parse(&task.body);
    let (params, version) = match contract {
        Ok(contract) => (contract.params, contract.pipeline_version),
        Err(error) => {
            let (params, form) = (Params::new(), Err(error.to_string()));
            return Ok(Some(Opened { task, params, form }));
        }
    };
    let graph = context.client().registry().graph_of(&task.pipeline, version).await;
    let form = match graph {
        Ok(graph) => match graph.pipeline.stage(&task.stage) {
            Some(stage) => Ok(stage.form.clone()),
            None => Err(format!("stage `{}` is not in the job's pipeline", task.stage)),
        },
        Err(DefinitionError::Store(error)) => return Err(error),
        Err(error) => Err(error.to_string()),
    };
    Ok(Some(Opened { task, params, form }))
}
