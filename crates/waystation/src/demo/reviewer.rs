//! A stand-in for the person at the inbox: it knows the true corners of every photo.

use anyhow::Result;
use serde_json::{Value, json};
use waystation::engine::decide::Answer;
use waystation::{AnswerError, Client, PipelineName};
use waystation_core::contract::Contract;
use waystation_core::job::{TaskFilter, TaskRecord};
use waystation_executors::page::Quad;
use waystation_executors::photographs::{PHOTO_HEIGHT, PHOTO_WIDTH};

use super::{NAME, Roll};

/// A page is straight enough when its corners are off by less than this share of the photo's
/// diagonal.
const ERROR_MAX: f32 = 0.01;
const TASKS_MAX: usize = 100;

/// Answers tasks by the truth.
pub struct Reviewer {
    client: Client,
    roll: Roll,
}

impl Reviewer {
    /// A reviewer of this roll.
    pub fn new(client: Client, roll: Roll) -> Self {
        Self { client, roll }
    }

    /// Answers every task as it comes, until it is dropped.
    pub async fn review(&self) -> Result<()> {
        let backend = self.client.backend();
        let mut signals = backend.bus.subscribe();
        let pipeline = Some(PipelineName::from(NAME));
        let ours = TaskFilter { pipeline, ..TaskFilter::first(TASKS_MAX) };
        loop {
            let tasks = backend.store.tasks(ours.clone()).await?;
            let mut answered = false;
            for task in &tasks {
                answered |= self.answer(task).await?;
            }
            if !answered && signals.next().await.is_none() {
                return Ok(());
            }
        }
    }

    /// Answers a task; false when it is about a photo whose truth is not known.
    async fn answer(&self, task: &TaskRecord) -> Result<bool> {
        let params = Contract::parse(&task.body)?.params;
        let name = params.get("name").and_then(Value::as_str).unwrap_or_default();
        let Some(truth) = self.roll.truth(name) else { return Ok(false) };
        let fields = match task.stage.as_str() {
            "validate" => {
                let found = params.get("corners").cloned().unwrap_or_default();
                judge(serde_json::from_value(found).ok(), &truth.corners)
            }
            _ => json!({ "corners": truth.corners }),
        };
        let Value::Object(fields) = fields else { return Ok(false) };
        let answer = Answer { fields, by: Some("demo reviewer".into()) };
        match self.client.answer(task.task_id, answer).await {
            // Somebody else was quicker.
            Ok(_) | Err(AnswerError::Unknown(_)) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

fn judge(found: Option<Quad>, truth: &Quad) -> Value {
    let diagonal = (PHOTO_WIDTH as f32).hypot(PHOTO_HEIGHT as f32);
    match found.map(|found| found.mean_distance(truth) / diagonal) {
        Some(error) if error < ERROR_MAX => json!({ "ok": true }),
        Some(error) => {
            let note = format!("corners are off by {:.1} % of the diagonal", error * 100.0);
            json!({ "ok": false, "note": note })
        }
        None => json!({ "ok": false, "note": "no corners" }),
    }
}
