//! Tasks of the inbox.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::form::{FieldType, Form};
use waystation_core::job::TaskRecord;

use super::Moment;

/// A job that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Task {
    /// Its number.
    pub task_id: i64,
    /// The job that waits.
    pub job_id: String,
    /// Its pipeline.
    pub pipeline: String,
    /// The stage.
    pub stage: String,
    /// Since when it waits.
    pub created_at: Moment,
    /// Whose it is now, if it is anybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Until when it is theirs, where they claimed it for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_until: Option<Moment>,
    /// When it is to be answered at the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Moment>,
    /// Whether that moment has passed.
    pub is_overdue: bool,
}

impl Task {
    /// A task as it stands at this moment.
    pub fn new(task: &TaskRecord, now: Timestamp) -> Self {
        let holder = task.holder(now).map(str::to_owned);
        Self {
            task_id: task.task_id,
            job_id: task.job_id.to_string(),
            pipeline: task.pipeline.to_string(),
            stage: task.stage.to_string(),
            created_at: task.created_at.into(),
            claimed_until: task.claimed_until.filter(|_| holder.is_some()).map(Moment),
            holder,
            due_at: task.due_at.map(Moment),
            is_overdue: task.due_at.is_some_and(|due| due < now),
        }
    }
}

/// A page of the inbox, oldest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskPage {
    /// The tasks.
    pub tasks: Vec<Task>,
    /// What to give as `after` for the next page. Absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// A task with what is needed to answer it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskDetail {
    /// The task.
    #[serde(flatten)]
    pub task: Task,
    /// The job's params, as the person sees them.
    #[schema(value_type = Object)]
    pub params: Params,
    /// What the answer must hold, field by field.
    pub form: Vec<FormField>,
    /// The same as a JSON Schema (draft 2020-12).
    #[schema(value_type = Object)]
    pub schema: Value,
}

/// A field of a form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FormField {
    /// Its key in the answer, and the param that it sets.
    pub name: String,
    /// `string`, `number`, `integer`, `boolean`, `array` or `object`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether the answer may leave it out.
    pub optional: bool,
}

/// The fields of a form.
pub fn form_fields(form: &Form) -> Vec<FormField> {
    let fields = form.fields.iter();
    let field = |field: &waystation_core::form::Field| FormField {
        name: field.name.clone(),
        kind: field.kind.as_str().to_owned(),
        optional: field.optional,
    };
    fields.map(field).collect()
}

/// A form as a JSON Schema.
pub fn form_schema(form: &Form) -> Value {
    let mut properties = Map::new();
    for field in &form.fields {
        let kind = match field.kind {
            // A whole number is one without a fraction, as the form has it.
            FieldType::Integer => "integer",
            other => other.as_str(),
        };
        let kind = if field.optional { json!([kind, "null"]) } else { json!(kind) };
        properties.insert(field.name.clone(), json!({ "type": kind }));
    }
    let asked = form.fields.iter().filter(|field| !field.optional);
    let required: Vec<_> = asked.map(|field| field.name.as_str()).collect();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// A person's answer.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "answer": { "ok": true, "note": "sharp enough" } }))]
pub struct TaskAnswer {
    /// The form's fields.
    #[schema(value_type = Object)]
    pub answer: Params,
}

/// What came of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Answered {
    /// The job that goes on.
    pub job_id: String,
    /// Whether the same answer had been given before.
    pub repeated: bool,
}

/// For how long somebody claims a task.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "lasts_seconds": 1800 }))]
pub struct TaskClaim {
    /// So long; half an hour unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 604_800)]
    pub lasts_seconds: Option<u32>,
}

/// Whose a task is to be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "to": "ann" }))]
pub struct TaskAssignment {
    /// The person's, or nobody's.
    #[schema(min_length = 1, max_length = 200)]
    pub to: Option<String>,
}

/// When a task is to be answered.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "due_at": "2026-12-24T12:00:00.000Z" }))]
pub struct TaskDue {
    /// At this moment at the latest, or at any time.
    pub due_at: Option<Moment>,
}
