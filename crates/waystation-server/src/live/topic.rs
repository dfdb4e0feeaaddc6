//! What may be followed.

use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use waystation_core::event::Event;
use waystation_core::id::{JobId, PipelineName};

use crate::dashboard::href::encode;
use crate::problem::{Code, Problem};

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Every job.
    All,
    /// The jobs of a pipeline.
    Pipeline(PipelineName),
    /// One job.
    Job(JobId),
}

impl Topic {
    /// Whether an event is of this topic.
    pub fn has(&self, pipeline: &PipelineName, event: &Event) -> bool {
        match self {
            Self::All => true,
            Self::Pipeline(name) => name == pipeline,
            Self::Job(job_id) => *job_id == event.job_id,
        }
    }

    /// The topic as a query says it.
    pub fn query(&self) -> String {
        match self {
            Self::All => "all=1".to_owned(),
            Self::Pipeline(name) => format!("pipeline={}", encode(name.as_str())),
            Self::Job(job_id) => format!("job={}", encode(job_id.as_str())),
        }
    }

    /// Whether counts of this pipeline are of this topic.
    pub fn counts(&self, pipeline: &PipelineName) -> bool {
        match self {
            Self::All => true,
            Self::Pipeline(name) => name == pipeline,
            Self::Job(_) => false,
        }
    }
}

/// What is to be followed: one of `job`, `pipeline` and `all`; everything when none is named.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// This job.
    pub job: Option<String>,
    /// The jobs of this pipeline.
    pub pipeline: Option<String>,
    /// Every job. The value means nothing.
    pub all: Option<String>,
    /// Where to go on: the `cursor` of the last message that was read.
    pub cursor: Option<String>,
}

impl Wanted {
    /// The topic.
    pub fn topic(&self) -> Result<Topic, Problem> {
        match (&self.job, &self.pipeline, &self.all) {
            (Some(job), None, None) => Ok(Topic::Job(JobId::from(job.as_str()))),
            (None, Some(name), None) => Ok(Topic::Pipeline(PipelineName::from(name.as_str()))),
            (None, None, _) => Ok(Topic::All),
            _ => {
                let why = "only one of `job`, `pipeline` and `all` can be followed at a time";
                Err(Problem::new(Code::Invalid, why))
            }
        }
    }

    /// Where to go on, if it is said.
    pub fn cursor(&self) -> Result<Option<u64>, Problem> {
        let unread = |text: &String| Problem::new(Code::Invalid, format!("no cursor: {text}"));
        let text = self.cursor.as_ref().filter(|text| !text.is_empty());
        text.map(|text| text.parse().map_err(|_| unread(text))).transpose()
    }
}
