use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;
use waystation_memory::Memory;
use waystation_sqlite::{Options, Sqlite};
use waystation_testing::conformance::{Backend, Harness, Volatile};
use waystation_testing::{FakeClock, conformance_ledger, conformance_model, conformance_suite};

const PAYLOAD_BYTES_MAX: usize = 4 * 1024;

/// A file in a folder of its own.
struct File {
    folder: TempDir,
    clock: FakeClock,
    crashes: u32,
}

impl File {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder, clock: FakeClock::default(), crashes: 0 }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join(format!("{}.db", self.crashes))
    }

    fn store(&self) -> Backend {
        let options = Options { payload_bytes_max: PAYLOAD_BYTES_MAX, ..Options::new(self.path()) };
        let store = Sqlite::open(options, Arc::new(self.clock.clone())).expect("the store opens");
        Backend::of_ledger(&store)
    }
}

#[async_trait]
impl Harness for File {
    fn clock(&self) -> &FakeClock {
        &self.clock
    }

    fn payload_bytes_max(&self) -> usize {
        PAYLOAD_BYTES_MAX
    }

    async fn open(&mut self) -> Backend {
        self.store()
    }

    /// What a crash leaves is what is on the disk at that moment: the file and its log are copied
    /// while the store is still open, and the copy is opened.
    async fn crash_and_reopen(&mut self, backend: Backend) -> Option<Backend> {
        let before = self.path();
        self.crashes += 1;
        let after = self.path();
        for ending in ["", "-wal"] {
            let name = |path: &PathBuf| format!("{}{ending}", path.display());
            std::fs::copy(name(&before), name(&after)).expect("the files are copied");
        }
        drop(backend);
        Some(self.store())
    }
}

fn memory() -> impl Harness {
    Volatile::new(PAYLOAD_BYTES_MAX, |clock, payload_bytes_max| {
        Backend::of_ledger(&Memory::new(clock).with_payload_bytes_max(payload_bytes_max))
    })
}

conformance_suite!(File::new());
conformance_ledger!(File::new());
conformance_model!(File::new(), memory());
