//! Names and identifiers, each its own type so that none can stand in for another.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text of the name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, formatter)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }
    };
}

name!(
    /// Identifies a job everywhere: in the contract, the store and every message to people.
    JobId
);
name!(
    /// The name of a stage, unique within its pipeline.
    StageId
);
name!(
    /// The name of a pipeline.
    PipelineName
);
name!(
    /// The name of a queue. Each worker stage reads one.
    QueueName
);
name!(
    /// How an attempt that completed wants to be routed: `ok` unless the handler says otherwise.
    Label
);

/// A new text that no other has and that sorts after the earlier ones (UUID version 7).
pub fn time_ordered() -> String {
    let mut buffer = uuid::Uuid::encode_buffer();
    uuid::Uuid::now_v7().hyphenated().encode_lower(&mut buffer).to_owned()
}

impl JobId {
    /// A new id that sorts after the earlier ones, so that indexes on it only ever grow at one end.
    pub fn generate() -> Self {
        Self::new(time_ordered())
    }
}

impl QueueName {
    /// The queue of one stage of a pipeline, unless the stage names another: `pipeline.stage`. All
    /// versions of a pipeline share it, so that a new version's workers also finish what an older
    /// version left.
    pub fn of_stage(pipeline: &PipelineName, stage: &StageId) -> Self {
        Self::new(format!("{pipeline}.{stage}"))
    }
}

impl Label {
    /// The label of an attempt that has nothing special to say.
    pub const OK: &str = "ok";

    /// The label `ok`.
    pub fn ok() -> Self {
        Self::new(Self::OK)
    }
}

impl Default for Label {
    fn default() -> Self {
        Self::ok()
    }
}
