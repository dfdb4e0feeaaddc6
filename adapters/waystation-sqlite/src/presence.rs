//! Tells whether another process works on the file, so that a crashed one's deliveries return at
//! once instead of after their leases.
//!
//! Every process that receives holds a shared lock on `FILE-lock` for as long as it lives; the
//! system releases it however the process ends. Whoever gets that lock exclusively is alone, and
//! every lease in the file is a dead process's.

use std::fs::File;
use std::path::{Path, PathBuf};

use waystation_core::port::Error;

/// The shared lock of a process that receives.
pub struct Presence {
    file: File,
    path: PathBuf,
}

impl Presence {
    /// Opens the lock's file beside the store's.
    pub fn open(store: &Path) -> Result<Self, Error> {
        let mut path = store.as_os_str().to_owned();
        path.push("-lock");
        let path = PathBuf::from(path);
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| broken(&path, &error))?;
        Ok(Self { file, path })
    }

    /// Runs `expire` when no other process is present, then announces this one.
    ///
    /// Between the two locks another process may come to be alone for a moment. It finds no
    /// lease of ours, since we take none before the shared lock is held.
    pub fn announce(&self, expire: impl FnOnce() -> Result<(), Error>) -> Result<(), Error> {
        if self.file.try_lock().is_ok() {
            let expired = expire();
            // Whatever came of it: others must not be kept waiting.
            self.file.unlock().map_err(|error| broken(&self.path, &error))?;
            expired?;
        }
        self.file.lock_shared().map_err(|error| broken(&self.path, &error))
    }
}

fn broken(path: &Path, error: &std::io::Error) -> Error {
    Error::Broken { name: path.display().to_string(), message: error.to_string() }
}
