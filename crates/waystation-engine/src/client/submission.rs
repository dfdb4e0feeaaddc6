//! A job to be, and why it may not be taken.

use waystation_core::Params;
use waystation_core::clock::Timestamp;
use waystation_core::failure::Failure;
use waystation_core::id::{JobId, PipelineName, StageId};
use waystation_core::pipeline::StageKind;
use waystation_core::port;
use waystation_core::settlement::{Dedupe, Priority};
use waystation_core::trace::Traceparent;

use crate::decide::{self, Plan};
use crate::definition::Registry;
use crate::graph::Graph;
use crate::lanes::Full;

/// The longest job id that is taken from outside.
const JOB_ID_BYTES_MAX: usize = 200;
/// The longest dedupe key that is taken from outside.
const DEDUPE_KEY_BYTES_MAX: usize = 1_000;

/// A job to be.
#[derive(Clone, Debug, Default)]
pub struct Submission {
    /// Its id; a new one unless given.
    pub job_id: Option<JobId>,
    /// Its params.
    pub params: Params,
    /// Where it starts; where the pipeline starts unless given.
    pub entry: Option<StageId>,
    /// After which stage it ends early.
    pub exit: Option<StageId>,
    /// What makes it one with other jobs of its pipeline, and what becomes of a second one.
    pub dedupe: Option<Dedupe>,
    /// Higher runs first; four have names, see [`priority`](waystation_core::settlement::priority).
    pub priority: Priority,
    /// Not before this moment.
    pub not_before: Option<Timestamp>,
    /// When it is to have ended. No attempt begins at this moment or later, none runs beyond it;
    /// a job that comes too late, or would be tried again too late, fails.
    pub deadline: Option<Timestamp>,
    /// Who submits it, where that is known: its first event tells.
    pub by: Option<String>,
    /// The trace that it belongs to. One that comes without gets a new one where somebody traces.
    pub traceparent: Option<Traceparent>,
}

/// Why a job was not submitted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Somebody drains the pipeline: what is there runs to its end, and nothing new is taken.
    #[error(
        "pipeline `{pipeline}` takes no new jobs: {by} drains it ({reason}) (hint: wait until it \
         is resumed)"
    )]
    Draining {
        /// The pipeline.
        pipeline: PipelineName,
        /// Who drains it.
        by: String,
        /// Why.
        reason: String,
    },
    /// A stage that was named is not in the pipeline.
    #[error("pipeline `{pipeline}` has no {role} stage `{stage}` (its stages: {known})")]
    UnknownStage {
        /// The pipeline.
        pipeline: String,
        /// `entry` or `exit`.
        role: &'static str,
        /// What was named.
        stage: StageId,
        /// What there is.
        known: String,
    },
    /// The stage that the job is to end after does not come.
    #[error("a job that begins at stage `{entry}` never comes to its exit stage `{exit}`")]
    Exit {
        /// Where it begins.
        entry: StageId,
        /// After which stage it was to end.
        exit: StageId,
    },
    /// Only children of the job come to the stage that it is to end after.
    #[error(
        "a job that begins at stage `{entry}` does not come to its exit stage `{exit}` itself, \
         only its children do (hint: name the stage before the fan-out, or the join)"
    )]
    ExitOfChildren {
        /// Where it begins.
        entry: StageId,
        /// After which stage it was to end.
        exit: StageId,
    },
    /// It is not said where the job starts.
    #[error(transparent)]
    Entry(#[from] waystation_core::pipeline::EntryError),
    /// The id is not one that people can read and paste.
    #[error(
        "`{}` is no job id: 1 to {JOB_ID_BYTES_MAX} bytes without control characters",
        .0.as_str().escape_debug()
    )]
    JobId(JobId),
    /// The key is not one that every store can keep.
    #[error(
        "`{}` is no dedupe key: 1 to {DEDUPE_KEY_BYTES_MAX} bytes without control characters",
        .0.escape_debug()
    )]
    DedupeKey(String),
    /// A task in the inbox has neither a priority nor a time before which it is hidden.
    #[error(
        "stage `{0}` is manual: its tasks cannot be delayed or given a priority \
         (hint: leave both out)"
    )]
    NotAtManual(StageId),
    /// There is no time to do it in.
    #[error("deadline {deadline} is not after the moment at which the job can begin, {begin}")]
    Deadline {
        /// When it was to have ended.
        deadline: Timestamp,
        /// When it can begin at the earliest.
        begin: Timestamp,
    },
    /// The deadline lies so far off that RFC 3339 has no words for it.
    #[error("deadline {0} cannot be written as a date (hint: leave it out)")]
    NoDate(Timestamp),
    /// The params are not what the first stage takes.
    #[error("{0}")]
    Params(Failure),
    /// The params are more than the queue takes.
    #[error("{0} (hint: put large values into files or blobs, and where they are into the params)")]
    TooLarge(port::Error),
    /// As many wait where it begins as may.
    #[error(transparent)]
    Full(#[from] Full),
    /// The store did not take it.
    #[error(transparent)]
    Store(port::Error),
}

impl From<port::Error> for SubmitError {
    fn from(error: port::Error) -> Self {
        match error {
            port::Error::TooLarge { .. } => Self::TooLarge(error),
            other => Self::Store(other),
        }
    }
}

impl Submission {
    /// What is to be done, held against the pipeline and what its code says it takes.
    pub(super) fn plan(
        self,
        graph: &Graph,
        registry: &Registry,
        now: Timestamp,
    ) -> Result<Plan, SubmitError> {
        self.check_stages(graph)?;
        self.check_names()?;
        self.check_deadline(now)?;
        let pipeline = &graph.pipeline;
        let entry_is_explicit = self.entry.is_some();
        let entry = match self.entry {
            Some(entry) => entry,
            None => pipeline.default_entry(registry.catalog())?,
        };
        if let Some(exit) = self.exit.as_ref().filter(|exit| **exit != entry)
            && !pipeline.reached_from(&entry).contains(exit)
        {
            return Err(SubmitError::Exit { entry, exit: exit.clone() });
        }
        if let Some(exit) = &self.exit
            && !pipeline.goes_itself(&entry).contains(exit)
        {
            return Err(SubmitError::ExitOfChildren { entry, exit: exit.clone() });
        }
        let plain = self.priority == 0 && self.not_before.is_none();
        if !plain && graph.kind(&entry) == Some(StageKind::Manual) {
            return Err(SubmitError::NotAtManual(entry));
        }
        if let Some(stage) = pipeline.stage(&entry) {
            decide::check_required(stage, &self.params).map_err(SubmitError::Params)?;
            decide::check_key(stage, &self.params).map_err(SubmitError::Params)?;
        }
        // Where the code of the stages is at hand, it says what it takes.
        let ready = registry.known(&pipeline.name, graph.version);
        if let Some(input) = ready.as_ref().and_then(|definition| definition.input(&entry)) {
            input.check(&self.params).map_err(SubmitError::Params)?;
        }
        Ok(Plan {
            job_id: self.job_id.unwrap_or_else(JobId::generate),
            params: self.params,
            entry,
            entry_is_explicit,
            exit: self.exit,
            dedupe: self.dedupe,
            priority: self.priority,
            not_before: self.not_before,
            deadline: self.deadline,
            by: self.by,
            traceparent: self.traceparent,
        })
    }

    /// The stages that are named are there.
    fn check_stages(&self, graph: &Graph) -> Result<(), SubmitError> {
        let pipeline = &graph.pipeline;
        let unknown = |role, stage: &StageId| SubmitError::UnknownStage {
            pipeline: pipeline.name.to_string(),
            role,
            stage: stage.clone(),
            known: pipeline.stages.iter().map(|s| s.id.as_str()).collect::<Vec<_>>().join(", "),
        };
        for (role, stage) in [("entry", &self.entry), ("exit", &self.exit)] {
            if let Some(stage) = stage {
                let kind = graph.kind(stage);
                if kind.is_none() || kind == Some(StageKind::Source) {
                    return Err(unknown(role, stage));
                }
            }
        }
        Ok(())
    }

    /// Its id and key are such as people can read and every store can keep.
    fn check_names(&self) -> Result<(), SubmitError> {
        let fits = |text: &str, bytes_max: usize| {
            (1..=bytes_max).contains(&text.len()) && !text.chars().any(char::is_control)
        };
        match (&self.job_id, &self.dedupe) {
            (Some(job_id), _) if !fits(job_id.as_str(), JOB_ID_BYTES_MAX) => {
                Err(SubmitError::JobId(job_id.clone()))
            }
            (_, Some(Dedupe { key, .. })) if !fits(key, DEDUPE_KEY_BYTES_MAX) => {
                Err(SubmitError::DedupeKey(key.clone()))
            }
            _ => Ok(()),
        }
    }

    /// It can begin before it is to have ended.
    fn check_deadline(&self, now: Timestamp) -> Result<(), SubmitError> {
        let Some(deadline) = self.deadline else { return Ok(()) };
        let begin = self.not_before.map_or(now, |moment| moment.max(now));
        if deadline <= begin {
            return Err(SubmitError::Deadline { deadline, begin });
        }
        match Timestamp::parse(&deadline.to_string()) {
            Some(_) => Ok(()),
            None => Err(SubmitError::NoDate(deadline)),
        }
    }
}
