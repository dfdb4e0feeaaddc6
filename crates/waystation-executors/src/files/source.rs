//! `files`: makes a job of each file in a folder, once.
//!
//! A file is known by its path, size and time of change (`identity: stat`), or by its content
//! (`identity: content`). The store remembers what was found, so that a restart or a second
//! process makes no second job.

use std::collections::{HashSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use globset::{Glob, GlobSet, GlobSetBuilder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::pipeline::Executor;
use waystation_core::source::{BATCH_MAX, Discovery, Item, Source};

use crate::settings::Settings;

/// How deep folders are followed. Deeper ones are a mistake, or a circle of links.
const DEPTH_MAX: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Identity {
    Stat,
    Content,
}

struct Files {
    folder: PathBuf,
    patterns: Option<GlobSet>,
    recursive: bool,
    identity: Identity,
    crawl: Arc<Mutex<Crawl>>,
}

/// What is left of the present look at the folder, and what earlier ones brought.
#[derive(Default)]
struct Crawl {
    left: VecDeque<Item>,
    /// Ids that this process has handed out. Others are told apart by the store.
    told: HashSet<String>,
}

/// Settings: `url` (`file://FOLDER`) or `folder`; `patterns` (globs over the path within the
/// folder), `recursive`, `identity`, `polling_interval_seconds`.
pub fn build(settings: &mut Settings<'_>) -> Option<Executor> {
    let url = settings.optional_text("url");
    let folder = settings.optional_text("folder");
    let folder = match (url, folder) {
        (Some(url), None) => match url.strip_prefix("file://") {
            Some(path) if !path.is_empty() => Some(PathBuf::from(path)),
            _ => {
                settings.problem(format!("setting `url` must be file://FOLDER, not `{url}`"));
                None
            }
        },
        (None, Some(folder)) => Some(PathBuf::from(folder)),
        (Some(_), Some(_)) => {
            settings.problem("settings `url` and `folder` say the same: leave one out");
            None
        }
        (None, None) => {
            settings.problem("setting `folder` is absent");
            None
        }
    };
    let patterns = patterns(settings);
    let recursive = settings.flag("recursive", true);
    let identity = match settings.optional_text("identity").as_deref() {
        None | Some("stat") => Some(Identity::Stat),
        Some("content") => Some(Identity::Content),
        Some(other) => {
            settings.problem(format!("setting `identity` is stat or content, not `{other}`"));
            None
        }
    };
    settings.check_positive("polling_interval_seconds");
    let files = Files {
        folder: folder?,
        patterns: patterns?,
        recursive,
        identity: identity?,
        crawl: Arc::default(),
    };
    Some(Executor::Source(Arc::new(files)))
}

#[expect(clippy::option_option, reason = "no patterns and bad patterns are different answers")]
fn patterns(settings: &mut Settings<'_>) -> Option<Option<GlobSet>> {
    let Some(texts) = settings.texts("patterns") else { return Some(None) };
    let mut set = GlobSetBuilder::new();
    let mut good = true;
    for text in texts {
        match Glob::new(&text) {
            Ok(glob) => drop(set.add(glob)),
            Err(error) => {
                settings.problem(format!("setting `patterns`: `{text}` is no glob: {error}"));
                good = false;
            }
        }
    }
    good.then(|| set.build().ok())
}

#[async_trait]
impl Source for Files {
    async fn discover(&self, _checkpoint: Option<Value>) -> Result<Discovery, Failure> {
        let look = Look {
            folder: self.folder.clone(),
            patterns: self.patterns.clone(),
            recursive: self.recursive,
            identity: self.identity,
        };
        let crawl = Arc::clone(&self.crawl);
        let work = tokio::task::spawn_blocking(move || next_batch(&look, &crawl));
        work.await.map_err(|error| Failure::from_error(ErrorKind::Panic, &error))?
    }
}

/// How a folder is looked at.
struct Look {
    folder: PathBuf,
    patterns: Option<GlobSet>,
    recursive: bool,
    identity: Identity,
}

fn next_batch(look: &Look, crawl: &Mutex<Crawl>) -> Result<Discovery, Failure> {
    let mut crawl = crawl.lock().unwrap_or_else(PoisonError::into_inner);
    if crawl.left.is_empty() {
        let found = look.items()?;
        crawl.left = found.into_iter().filter(|item| !crawl.told.contains(&item.id)).collect();
    }
    let count = crawl.left.len().min(BATCH_MAX);
    let items: Vec<Item> = crawl.left.drain(..count).collect();
    crawl.told.extend(items.iter().map(|item| item.id.clone()));
    let checkpoint = items.last().map(|last| {
        json!({ "last": last.params.get("path"), "found_at": jiff::Timestamp::now().to_string() })
    });
    Ok(Discovery { items, checkpoint, more: !crawl.left.is_empty() })
}

impl Look {
    /// Every file of the folder as an item, by path.
    fn items(&self) -> Result<Vec<Item>, Failure> {
        let folder =
            std::path::absolute(&self.folder).map_err(|error| unreadable(&self.folder, &error))?;
        let mut paths = Vec::new();
        self.walk(&folder, 0, &mut paths)?;
        paths.sort();
        let mut items = Vec::with_capacity(paths.len());
        for path in paths {
            let within = path.strip_prefix(&folder).unwrap_or(&path);
            if self.patterns.as_ref().is_none_or(|patterns| patterns.is_match(within)) {
                items.extend(self.item(&path)?);
            }
        }
        Ok(items)
    }

    fn walk(&self, folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), Failure> {
        let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
        for entry in entries {
            let path = entry.map_err(|error| unreadable(folder, &error))?.path();
            if path.is_dir() {
                if self.recursive && depth < DEPTH_MAX {
                    self.walk(&path, depth + 1, paths)?;
                }
            } else {
                paths.push(path);
            }
        }
        Ok(())
    }

    /// A file as an item; `None` when it went away in the meantime.
    fn item(&self, path: &Path) -> Result<Option<Item>, Failure> {
        let Ok(status) = std::fs::metadata(path) else { return Ok(None) };
        let changed = status.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let nanoseconds =
            changed.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let shown = path.display().to_string();
        let id = match self.identity {
            Identity::Stat => format!("{shown}:{}:{nanoseconds}", status.len()),
            Identity::Content => {
                let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
                hexadecimal(&Sha256::digest(&bytes))
            }
        };
        let mut params = Params::new();
        params.insert("path".into(), json!(shown));
        params.insert("name".into(), json!(name));
        params.insert("bytes".into(), json!(status.len()));
        Ok(Some(Item { id, params }))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(ErrorKind::NotFound, format!("cannot read {}: {error}", path.display()))
}
