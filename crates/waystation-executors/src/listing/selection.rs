//! Which things of a listing are wanted.

use jiff::Timestamp;

use crate::settings::{Globs, Moment, Texts};

/// What is known of a thing before it is looked into.
pub struct Facts<'a> {
    /// Its path within the listing.
    pub path: &'a str,
    /// How large it is.
    pub bytes: u64,
    /// When it was changed last.
    pub modified_at: Timestamp,
}

/// Which things are wanted. What is not said lets everything pass.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// One of these fits the path.
    pub patterns: Option<Globs>,
    /// None of these fits the path.
    pub exclude: Option<Globs>,
    /// The path ends so.
    pub endings: Vec<String>,
    /// It is at least so large.
    pub bytes_min: Option<u64>,
    /// It is at most so large.
    pub bytes_max: Option<u64>,
    /// It was changed at this moment or later.
    pub modified_after: Option<Moment>,
    /// It was changed before this moment.
    pub modified_before: Option<Moment>,
}

impl Selection {
    /// Whether a thing is wanted.
    pub fn takes(&self, facts: &Facts<'_>) -> bool {
        let Facts { path, bytes, modified_at } = facts;
        let ends = |ending: &String| path.to_lowercase().ends_with(&ending.to_lowercase());
        self.patterns.as_ref().is_none_or(|globs| globs.fit(path))
            && !self.excludes(path)
            && (self.endings.is_empty() || self.endings.iter().any(ends))
            && self.bytes_min.is_none_or(|least| *bytes >= least)
            && self.bytes_max.is_none_or(|most| *bytes <= most)
            && self.modified_after.is_none_or(|moment| *modified_at >= moment.0)
            && self.modified_before.is_none_or(|moment| *modified_at < moment.0)
    }

    /// Whether a path is not wanted, be it a thing's or a folder's.
    pub fn excludes(&self, path: &str) -> bool {
        self.exclude.as_ref().is_some_and(|globs| globs.fit(path))
    }
}

/// Endings of names as `pdf` or `.pdf`, with their dot.
pub fn endings(extensions: &Texts) -> Vec<String> {
    extensions.0.iter().map(|one| format!(".{}", one.trim_start_matches('.'))).collect()
}
