//! What params say of a blob: the key that it lies under, and how large it is.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{JobId, StageId};

/// The longest key, in bytes. Object stores take 1,024, their own folder included.
pub const KEY_BYTES_MAX: usize = 768;

/// Where a blob lies: a path below the root of the blob store, as `jobs/j-1/scan/1/page.png`.
///
/// It never leaves that root: it is relative, without empty segments, `.` and `..`.
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct BlobKey(String);

/// Why a text is no key of a blob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no key of a blob: {why}", .key.escape_debug())]
pub struct BadKey {
    /// The text.
    key: String,
    /// What is wrong with it.
    why: &'static str,
}

impl BlobKey {
    /// The key that this text is.
    pub fn parse(key: impl Into<String>) -> Result<Self, BadKey> {
        let key = key.into();
        match fault_of(&key) {
            None => Ok(Self(key)),
            Some(why) => Err(BadKey { key, why }),
        }
    }

    /// The key of what a stage run of a job calls by this name. It is the same for every
    /// repetition of that run, which so overwrites its own, and for no other.
    pub fn of_stage_run(
        job_id: &JobId,
        stage: &StageId,
        visit: u32,
        name: &str,
    ) -> Result<Self, BadKey> {
        let name = Self::parse(name)?;
        let (job, stage) = (segment(job_id.as_str()), segment(stage.as_str()));
        Self::parse(format!("jobs/{job}/{stage}/{visit}/{name}"))
    }

    /// The key of what a stage run of a job gives as this param, whatever its name.
    pub fn of_param(
        job_id: &JobId,
        stage: &StageId,
        visit: u32,
        param: &str,
    ) -> Result<Self, BadKey> {
        Self::of_stage_run(job_id, stage, visit, &format!("$params/{}", segment(param)))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn fault_of(key: &str) -> Option<&'static str> {
    if key.is_empty() {
        return Some("it is empty");
    }
    if key.len() > KEY_BYTES_MAX {
        return Some("it is longer than 768 bytes");
    }
    if key.starts_with('/') {
        return Some("it must be relative to the root of the blob store");
    }
    if key.contains(|c: char| c.is_control() || c == '\\') {
        return Some("control characters and backslashes are not allowed");
    }
    key.split('/').find_map(|segment| match segment {
        "" => Some("a segment of it is empty"),
        "." | ".." => Some("`.` and `..` are not allowed"),
        _ => None,
    })
}

/// Any text as one segment. What is not a letter, a digit or one of `-_.` becomes `%` and its
/// number, so that no two texts are one segment.
fn segment(text: &str) -> String {
    use fmt::Write as _;
    let mut segment = String::with_capacity(text.len());
    let dots = text.bytes().all(|byte| byte == b'.');
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) || (byte == b'.' && !dots) {
            segment.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(segment, "%{byte:02X}");
        }
    }
    segment
}

impl fmt::Display for BlobKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl TryFrom<String> for BlobKey {
    type Error = BadKey;

    fn try_from(key: String) -> Result<Self, BadKey> {
        Self::parse(key)
    }
}

impl From<BlobKey> for String {
    fn from(key: BlobKey) -> Self {
        key.0
    }
}

/// A reference to a blob, as it stands in params: `{"$blob": "jobs/…/page.png", "bytes": 81523}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlobRef {
    /// Where it lies.
    #[serde(rename = "$blob")]
    pub key: BlobKey,
    /// How large it is. Unknown where somebody else uploads it, by a signed URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_stay_below_the_root() {
        for good in ["a", "a/b.json", "jobs/ä/..hidden", "a b/c%20"] {
            assert_eq!(BlobKey::parse(good).expect(good).as_str(), good);
        }
        let long = "x".repeat(KEY_BYTES_MAX + 1);
        for bad in ["", "/a", "a/", "a//b", "../a", "a/./b", "a/..", "a\\b", "a\nb", &long] {
            assert!(BlobKey::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_stage_run_has_keys_of_its_own() {
        let key = |job: &str, stage: &str, visit, name: &str| {
            BlobKey::of_stage_run(&job.into(), &stage.into(), visit, name).map(String::from)
        };
        assert_eq!(key("j-1", "scan", 2, "a/b.png").as_deref(), Ok("jobs/j-1/scan/2/a/b.png"));
        assert_eq!(key("../x", "s", 1, "a").as_deref(), Ok("jobs/..%2Fx/s/1/a"));
        assert_eq!(key("..", "s", 1, "a").as_deref(), Ok("jobs/%2E%2E/s/1/a"));
        assert_ne!(key("a/b", "c", 1, "d"), key("a", "b/c", 1, "d"));
        assert_ne!(key("a%2F", "c", 1, "d"), key("a/", "c", 1, "d"));
        assert!(key("j", "s", 1, "../2/a").is_err());
        let param = BlobKey::of_param(&"j".into(), &"s".into(), 1, "../a").map(String::from);
        assert_eq!(param.as_deref(), Ok("jobs/j/s/1/$params/..%2Fa"));
    }

    #[test]
    fn references_have_a_plain_form() {
        let form = json!({ "$blob": "jobs/j/s/1/a", "bytes": 3 });
        let read: BlobRef = serde_json::from_value(form.clone()).expect("a reference");
        assert_eq!(read.bytes, Some(3));
        assert_eq!(serde_json::to_value(read).expect("JSON"), form);
        let outside = json!({ "$blob": "../../etc/passwd" });
        let error = serde_json::from_value::<BlobRef>(outside).expect_err("outside");
        assert!(error.to_string().contains("`../../etc/passwd` is no key of a blob"), "{error}");
    }
}
