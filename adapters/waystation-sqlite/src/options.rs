//! Where the file is and how safely it is written.

use std::path::PathBuf;

/// When a commit counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Every commit is flushed to the disk: what was acknowledged survives a loss of power.
    #[default]
    Full,
    /// Commits are flushed at checkpoints: the end of the process loses nothing, a loss of power
    /// may lose the last ones.
    Normal,
}

impl Synchronous {
    /// The name in URLs and in SQLite's own pragma.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
        }
    }
}

/// How a file is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The file. Its folder must exist.
    pub path: PathBuf,
    /// When a commit counts as done.
    pub synchronous: Synchronous,
    /// The largest contract, in bytes.
    pub payload_bytes_max: usize,
    /// The largest file, in bytes; without one, the disk's end is the limit.
    pub file_bytes_max: Option<u64>,
}

/// The largest contract unless the options say otherwise.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;

impl Options {
    /// The defaults for this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            synchronous: Synchronous::default(),
            payload_bytes_max: PAYLOAD_BYTES_MAX,
            file_bytes_max: None,
        }
    }

    /// Reads a URL: `sqlite://PATH`, with `?synchronous=full|normal`, `payload_bytes_max=N` and
    /// `file_bytes_max=N` joined by `&`. The error names what was not understood.
    pub fn parse(url: &str) -> Result<Self, String> {
        let rest = url
            .strip_prefix("sqlite://")
            .ok_or_else(|| format!("`{url}` does not start with sqlite://"))?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if path == ":memory:" {
            return Err(format!("`{url}`: a store in memory is memory://"));
        }
        if path.is_empty() {
            return Err(format!("`{url}` names no file (hint: sqlite://waystation.db)"));
        }
        let mut options = Self::new(path);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            options.set(name, value).map_err(|message| format!("`{url}`: {message}"))?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "synchronous" => {
                self.synchronous = match value {
                    "full" => Synchronous::Full,
                    "normal" => Synchronous::Normal,
                    _ => return Err(format!("synchronous is full or normal, not `{value}`")),
                }
            }
            "payload_bytes_max" => {
                self.payload_bytes_max = whole_number(name, value)?;
            }
            "file_bytes_max" => self.file_bytes_max = Some(whole_number(name, value)?),
            _ => {
                return Err(format!(
                    "unknown option `{name}` (known: synchronous, payload_bytes_max, \
                     file_bytes_max)"
                ));
            }
        }
        Ok(())
    }
}

fn whole_number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name} is a whole number of bytes, not `{value}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_is_read_whole() {
        let url = "sqlite://a/b.db?synchronous=normal&payload_bytes_max=10&file_bytes_max=99";
        let expected = Options {
            path: "a/b.db".into(),
            synchronous: Synchronous::Normal,
            payload_bytes_max: 10,
            file_bytes_max: Some(99),
        };
        assert_eq!(Options::parse(url), Ok(expected));
    }

    #[test]
    fn bad_urls_name_what_is_wrong() {
        let cases = [
            ("postgres://x", "does not start with sqlite://"),
            ("sqlite://", "names no file"),
            ("sqlite://:memory:", "is memory://"),
            ("sqlite://a?synchronous=off", "synchronous is full or normal, not `off`"),
            ("sqlite://a?payload_bytes_max=big", "a whole number of bytes, not `big`"),
            ("sqlite://a?journal=wal", "unknown option `journal`"),
        ];
        for (url, expected) in cases {
            let error = Options::parse(url).expect_err(url);
            assert!(error.contains(expected), "{url}: {error}");
        }
    }
}
