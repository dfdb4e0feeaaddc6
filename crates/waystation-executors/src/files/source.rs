//! `files`: makes a job of each file in a folder, once.
//!
//! A file is known by its path, size and time of change (`identity: stat`), or by its content
//! (`identity: content`). The store remembers what was found, so that a restart or a second
//! process makes no second job.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use waystation_core::Params;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::pipeline::Executor;
use waystation_core::source::{Fault, Item};

use super::settling::Settling;
use super::walk::{self, DEPTH_MAX};
use crate::listing::{
    Bounds, Facts, Finder, Found, Lister, Order, Selection, SortBy, Thing, endings,
};
use crate::settings::{self, Folder, Globs, Moment, Seconds, Texts};

/// What a stage of this type is told.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// The folder.
    folder: Option<Folder>,
    /// The folder as `file://FOLDER`: another way to say it.
    #[schemars(regex(pattern = "^file://."))]
    url: Option<String>,
    /// Globs over the path within the folder, of which one must fit; every file unless said.
    patterns: Option<Globs>,
    /// Globs over the path within the folder, of which none may fit. A folder that one fits is not
    /// looked into.
    exclude: Option<Globs>,
    /// Only files with one of these endings, as `pdf`.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["file_extensions"]))]
    extensions: Texts,
    /// Whether folders within the folder are looked into.
    #[serde(default = "yes")]
    recursive: bool,
    /// How many folders deep; 0 is the folder alone.
    #[serde(default = "deepest")]
    #[schemars(range(max = 64))]
    max_depth: usize,
    /// Smaller files are left out.
    #[schemars(extend("x-aliases" = ["min_size_bytes"]))]
    min_bytes: Option<u64>,
    /// Larger files are left out.
    #[schemars(extend("x-aliases" = ["max_size_bytes"]))]
    max_bytes: Option<u64>,
    /// Files that were changed before this moment are left out.
    modified_after: Option<Moment>,
    /// Files that were changed at this moment or later are left out.
    modified_before: Option<Moment>,
    /// In what order files become jobs.
    #[serde(default)]
    sort_by: SortBy,
    /// Whether the least comes first: the first name, the oldest, the smallest.
    #[serde(default = "yes")]
    sort_ascending: bool,
    /// By what a file is known: once it is a job, the same file becomes no other.
    #[serde(default)]
    identity: Identity,
    /// A file whose size or time of change changed within so many seconds is left for a later look:
    /// it may still be being written.
    #[serde(default)]
    #[schemars(range(min = 0))]
    settle_seconds: f64,
    /// The most files that become jobs in one look; the next one goes on. As many as there are
    /// unless said.
    #[schemars(range(min = 1))]
    max_results: Option<usize>,
    /// How long after the beginning of a look the next one begins: another way to say `schedule`.
    #[expect(dead_code, reason = "the engine reads it")]
    polling_interval_seconds: Option<Seconds>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Identity {
    /// Its path, size and time of change.
    #[default]
    Stat,
    /// What is in it.
    Content,
}

fn yes() -> bool {
    true
}

fn deepest() -> usize {
    DEPTH_MAX
}

#[derive(Clone)]
struct Files {
    folder: Folder,
    depth_max: usize,
    selection: Selection,
    order: Order,
    identity: Identity,
    settling: Arc<Settling>,
}

/// Makes a stage of it.
pub fn build(params: &Params) -> Result<Executor, Vec<String>> {
    let settings: Settings = settings::read(params)?;
    let folder = match (settings.url, settings.folder) {
        (Some(url), None) => Folder::new(url.trim_start_matches("file://")),
        (None, Some(folder)) => folder,
        (Some(_), Some(_)) => {
            return Err(vec!["settings `url` and `folder` say the same: leave one out".into()]);
        }
        (None, None) => return Err(vec!["setting `folder` is absent".into()]),
    };
    let wait = Duration::try_from_secs_f64(settings.settle_seconds).unwrap_or(Duration::MAX);
    let files = Files {
        folder,
        depth_max: if settings.recursive { settings.max_depth } else { 0 },
        selection: Selection {
            patterns: settings.patterns,
            exclude: settings.exclude,
            endings: endings(&settings.extensions),
            bytes_min: settings.min_bytes,
            bytes_max: settings.max_bytes,
            modified_after: settings.modified_after,
            modified_before: settings.modified_before,
        },
        order: Order { by: settings.sort_by, ascending: settings.sort_ascending },
        identity: settings.identity,
        settling: Arc::new(Settling::new(wait)),
    };
    let bounds = Bounds { results_max: settings.max_results, append_only: false };
    Ok(Executor::Source(Arc::new(Lister::new(files, bounds))))
}

/// A file that becomes a job.
struct Seen {
    path: String,
    name: String,
    bytes: u64,
    modified_at: Timestamp,
}

#[async_trait]
impl Finder for Files {
    type What = Seen;

    async fn look(
        &self,
        after: Option<String>,
    ) -> Result<BoxStream<'static, Result<Found<Seen>, Failure>>, Failure> {
        let files = self.clone();
        let work = tokio::task::spawn_blocking(move || files.walk(after.as_deref()));
        let found = work.await.map_err(|error| Failure::from_error(ErrorKind::Panic, &error))??;
        Ok(stream::iter(found.into_iter().map(Ok)).boxed())
    }

    async fn item(&self, thing: Thing<Seen>) -> Result<Option<Item>, Fault> {
        let Thing { id, what: Seen { path, name, bytes, modified_at }, .. } = thing;
        let id = match self.identity {
            Identity::Stat => id,
            Identity::Content => match content(path.clone()).await? {
                Some(digest) => digest,
                None => return Ok(None),
            },
        };
        let mut params = Params::new();
        params.insert("path".into(), json!(path));
        params.insert("name".into(), json!(name));
        params.insert("bytes".into(), json!(bytes));
        params.insert("modified_at".into(), json!(modified_at.to_string()));
        Ok(Some(Item { id, params }))
    }
}

impl Files {
    fn walk(&self, after: Option<&str>) -> Result<Vec<Found<Seen>>, Failure> {
        let folder = self.folder.path();
        let excludes = |path: &str| self.selection.excludes(path);
        let walked = walk::walk(folder, self.depth_max, &excludes).map_err(|error| {
            let message = format!("cannot read {}: {error}", folder.display());
            Failure::new(ErrorKind::NotFound, message)
        })?;
        let wanted = walked.files.into_iter().filter(|file| {
            let (bytes, modified_at) = (file.status.len(), moment_of(file));
            self.selection.takes(&Facts { path: &file.within, bytes, modified_at })
        });
        let at_rest = self.settling.at_rest(wanted.collect());
        let things = at_rest.iter().map(|file| self.thing(file)).collect();
        let things = self.order.arrange(things, after);
        Ok(walked.faults.into_iter().map(Err).chain(things.into_iter().map(Ok)).collect())
    }

    fn thing(&self, file: &walk::Found) -> Thing<Seen> {
        let changed = file.status.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let since = changed.duration_since(SystemTime::UNIX_EPOCH);
        let nanoseconds = since.map_or(0, |since| since.as_nanos());
        let (bytes, modified_at) = (file.status.len(), moment_of(file));
        let path = file.path.display().to_string();
        let name = file.within.rsplit(['/', std::path::MAIN_SEPARATOR]).next();
        let name = name.unwrap_or(&file.within).to_owned();
        let place = self.order.place(&Facts { path: &file.within, bytes, modified_at });
        let id = format!("{path}:{bytes}:{nanoseconds}");
        Thing { place, id, what: Seen { path, name, bytes, modified_at } }
    }
}

fn moment_of(file: &walk::Found) -> Timestamp {
    let changed = file.status.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    Timestamp::try_from(changed).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The digest of what is in a file; `None` when it went away.
async fn content(path: String) -> Result<Option<String>, Fault> {
    let shown = path.clone();
    let work = tokio::task::spawn_blocking(move || digest(Path::new(&path)));
    let read = work.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    match read {
        Ok(digest) => Ok(Some(digest)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Fault { what: shown, message: format!("it cannot be read: {error}") }),
    }
}

fn digest(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(crate::listing::hexadecimal(&hasher.finalize())),
            count => hasher.update(&buffer[..count]),
        }
    }
}
