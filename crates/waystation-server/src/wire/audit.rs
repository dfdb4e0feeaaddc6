//! The audit log.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use waystation_engine::control;

use super::Moment;

/// Something that somebody did, or tried to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the order of writing.
    pub id: String,
    /// When.
    pub at: Moment,
    /// Who.
    pub by: String,
    /// With which role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What: the operation's id.
    pub action: String,
    /// To what: the path.
    pub target: String,
    /// What else there is to say.
    pub detail: Value,
    /// What came of it: `done`, or why not.
    pub outcome: String,
}

/// A page of the audit log, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// What to give as `before` for the next page. Absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl From<control::Audited> for AuditEntry {
    fn from(audited: control::Audited) -> Self {
        let control::Audited { key, entry } = audited;
        Self {
            id: key,
            at: entry.at.into(),
            by: entry.by,
            role: entry.role,
            action: entry.action,
            target: entry.target,
            detail: entry.detail,
            outcome: entry.outcome,
        }
    }
}
