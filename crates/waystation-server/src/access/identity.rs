//! Who asks.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What somebody may do: each role may do what those before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks at everything, and changes nothing.
    Viewer,
    /// Submits, answers, aborts, retries, pauses, and works on jobs.
    Operator,
    /// Puts new pipelines, and decides who may come in.
    Admin,
}

impl Role {
    /// Every role, the humblest first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The role as it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// Reads a role.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// Who asks, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The name that events and the audit log show.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// How that is known.
    pub proof: Proof,
}

/// How somebody is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// The server is open: nobody has to say who they are.
    Open,
    /// A token came with the request.
    Token,
    /// A cookie came with the request.
    Session,
    /// The request was signed with the secret of the source that it was for.
    Signature,
}

impl Identity {
    /// Whoever reaches a server that is open.
    pub fn local() -> Self {
        Self { name: "local".to_owned(), role: Role::Admin, proof: Proof::Open }
    }
}
