//! A roll of photos in a folder, with the truth about each in a folder beside it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use waystation_executors::page::Quad;
use waystation_executors::photographs::photograph;

/// The photos of one seed.
pub struct Roll {
    folder: PathBuf,
    seed: u64,
}

/// The truth about a photo.
#[derive(serde::Deserialize, serde::Serialize)]
pub struct Truth {
    /// Where the page's corners are, in pixels.
    pub corners: Quad,
    /// Whether the page can be found in it at all.
    pub solvable: bool,
}

impl Roll {
    /// The roll of this seed in this folder.
    pub fn new(folder: &Path, seed: u64) -> Self {
        Self { folder: folder.to_owned(), seed }
    }

    /// Where the photos are.
    pub fn photos(&self) -> PathBuf {
        self.folder.join("photos")
    }

    /// Takes the first `count` photos that are not there yet, on as many threads as there are
    /// processors; tells after each. Gives how many were taken.
    pub fn take(&self, count: u32, taken: &(dyn Fn() + Sync)) -> Result<u32> {
        for folder in [self.photos(), self.truths()] {
            std::fs::create_dir_all(&folder)
                .with_context(|| format!("cannot make folder {}", folder.display()))?;
        }
        let (next, made) = (AtomicU32::new(0), AtomicU32::new(0));
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        std::thread::scope(|scope| {
            let work = || -> Result<()> {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        return Ok(());
                    }
                    if self.take_one(index)? {
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                    taken();
                }
            };
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            workers.into_iter().try_for_each(|worker| {
                worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })?;
        Ok(made.load(Ordering::Relaxed))
    }

    fn take_one(&self, index: u32) -> Result<bool> {
        let name = format!("page-{}-{:03}.jpg", self.seed, index + 1);
        let path = self.photos().join(&name);
        if path.exists() {
            return Ok(false);
        }
        let photo = photograph(self.seed, index);
        let truth = Truth { corners: photo.corners, solvable: photo.solvable };
        let truth = serde_json::to_vec(&truth)?;
        // The truth first: where there is a photo, the truth about it is there as well.
        place(&truth_path(&self.truths(), &name), &truth)?;
        place(&path, &photo.jpeg()?)?;
        Ok(true)
    }

    fn truths(&self) -> PathBuf {
        self.folder.join("truth")
    }

    /// The truth about a photo of this folder; `None` for a photo of somebody else's.
    pub fn truth(&self, photo_name: &str) -> Option<Truth> {
        let bytes = std::fs::read(truth_path(&self.truths(), photo_name)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }
}

fn truth_path(folder: &Path, photo_name: &str) -> PathBuf {
    folder.join(photo_name).with_extension("json")
}

/// Writes a file whole or not at all, so that a demo that was killed can go on.
fn place(path: &Path, bytes: &[u8]) -> Result<()> {
    let beside = path.with_extension("part");
    std::fs::write(&beside, bytes)
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(|| format!("cannot write {}", path.display()))
}
