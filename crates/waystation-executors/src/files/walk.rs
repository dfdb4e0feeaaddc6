//! Goes through a folder and what is below it.
//!
//! Each folder is looked into once. Links to folders come last, in the order of their paths, so
//! that what a folder holds is found below its own path first, and links in circles end.

use std::collections::{HashSet, VecDeque};
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use waystation_core::source::Fault;

/// The deepest that folders are followed.
pub const DEPTH_MAX: usize = 64;

/// A file.
pub struct Found {
    /// Where it is.
    pub path: PathBuf,
    /// Its path within the folder.
    pub within: String,
    /// Its size and moments.
    pub status: Metadata,
}

/// What is below a folder.
#[derive(Default)]
pub struct Walked {
    /// The files.
    pub files: Vec<Found>,
    /// What could not be read.
    pub faults: Vec<Fault>,
}

/// A walk under way.
struct Walk<'a> {
    root: &'a Path,
    depth_max: usize,
    excludes: &'a dyn Fn(&str) -> bool,
    /// The folders that were looked into, by their paths without links.
    seen: HashSet<PathBuf>,
    left: VecDeque<(PathBuf, usize)>,
    links: Vec<(PathBuf, usize)>,
    walked: Walked,
}

/// Every file of a folder, and of those below it down to a depth. What cannot be read below the
/// folder is told and stops nothing.
pub fn walk(
    root: &Path,
    depth_max: usize,
    excludes: &dyn Fn(&str) -> bool,
) -> std::io::Result<Walked> {
    let (seen, links, walked) = (HashSet::new(), Vec::new(), Walked::default());
    let mut walk = Walk { root, depth_max, excludes, seen, left: VecDeque::new(), links, walked };
    walk.seen.insert(std::fs::canonicalize(root)?);
    walk.list(root, 0)?;
    while let Some((folder, depth)) = walk.next() {
        if let Err(error) = walk.enter(&folder, depth) {
            walk.fault(&folder, &error);
        }
    }
    Ok(walk.walked)
}

impl Walk<'_> {
    fn next(&mut self) -> Option<(PathBuf, usize)> {
        if self.left.is_empty() {
            self.links.sort();
            let first = (!self.links.is_empty()).then(|| self.links.remove(0));
            self.left.extend(first);
        }
        self.left.pop_front()
    }

    fn enter(&mut self, folder: &Path, depth: usize) -> std::io::Result<()> {
        if self.seen.insert(std::fs::canonicalize(folder)?) {
            self.list(folder, depth)?;
        }
        Ok(())
    }

    fn list(&mut self, folder: &Path, depth: usize) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let within = path.strip_prefix(self.root).unwrap_or(&path);
            let Some(within) = within.to_str().map(str::to_owned) else {
                let what = path.display().to_string();
                let message = "its name is no UTF-8, which params cannot hold".to_owned();
                self.walked.faults.push(Fault { what, message });
                continue;
            };
            if (self.excludes)(&within) {
                continue;
            }
            // What is gone since, or a link to nothing, is no file.
            let Ok(status) = std::fs::metadata(&path) else { continue };
            if status.is_file() {
                self.walked.files.push(Found { path, within, status });
            } else if status.is_dir() && depth < self.depth_max {
                let is_link = path.is_symlink();
                if is_link {
                    self.links.push((path, depth + 1));
                } else {
                    self.left.push_back((path, depth + 1));
                }
            }
        }
        Ok(())
    }

    fn fault(&mut self, path: &Path, error: &std::io::Error) {
        // What went away meanwhile need not be read.
        if error.kind() != std::io::ErrorKind::NotFound {
            let message = format!("it cannot be read: {error}");
            self.walked.faults.push(Fault { what: path.display().to_string(), message });
        }
    }
}
