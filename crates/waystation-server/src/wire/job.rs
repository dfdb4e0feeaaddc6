//! Jobs.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use waystation_core::Params;
use waystation_core::job::{JobPage as Page, JobRecord};

use super::Moment;

/// A job.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id.
    pub job_id: String,
    /// Its pipeline.
    pub pipeline: String,
    /// The version of the pipeline that it stays on.
    pub pipeline_version: u32,
    /// Where it stands.
    pub state: String,
    /// The stage it is at, or ended at.
    pub stage: String,
    /// When it was submitted.
    pub created_at: Moment,
    /// When it last changed.
    pub updated_at: Moment,
    /// Not before this moment, when it is delayed or retrying.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Moment>,
    /// Since when a worker has it, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Moment>,
    /// Until when its worker has it unless it says that it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leased_until: Option<Moment>,
    /// How often the present stage run was delivered to a worker.
    pub deliveries: u32,
    /// Why it failed, when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Value>,
    /// Whose child it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Value>,
    /// How far its attempt was when it last said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Value>,
    /// Its params as they stand now.
    #[schema(value_type = Object)]
    pub params: Params,
}

/// A page of jobs, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct JobPage {
    /// The jobs that were found.
    pub jobs: Vec<Job>,
    /// What to give as `before` for the next page. Also after fewer jobs than were asked for, and
    /// after none: a search looks at a bounded number of jobs at a time. Absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl From<JobRecord> for Job {
    fn from(job: JobRecord) -> Self {
        Self {
            job_id: job.job_id.to_string(),
            pipeline: job.pipeline.to_string(),
            pipeline_version: job.pipeline_version,
            state: job.state.as_str().to_owned(),
            stage: job.stage.to_string(),
            created_at: job.created_at.into(),
            updated_at: job.updated_at.into(),
            not_before: job.not_before.map(Moment),
            running_since: job.running_since.map(Moment),
            leased_until: job.leased_until.map(Moment),
            deliveries: job.deliveries,
            failure: job.failure.map(|failure| serde_json::json!(failure)),
            parent: job.parent.map(|parent| serde_json::json!(parent)),
            progress: job.progress.map(|progress| serde_json::json!(progress)),
            params: job.params,
        }
    }
}

impl From<Page> for JobPage {
    fn from(page: Page) -> Self {
        let next = page.next.map(|job_id| job_id.to_string());
        Self { jobs: page.jobs.into_iter().map(Job::from).collect(), next }
    }
}
