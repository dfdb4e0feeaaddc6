use std::sync::Arc;

use async_trait::async_trait;
use waystation_memory::Memory;
use waystation_postgres::{Options, Postgres};
use waystation_testing::conformance::{Backend, Harness, Volatile};
use waystation_testing::{FakeClock, conformance_ledger, conformance_model, conformance_suite};

const PAYLOAD_BYTES_MAX: usize = 4 * 1024;
/// Where a server that tests may use is.
const VARIABLE: &str = "WAYSTATION_TEST_POSTGRES";

/// The server's URL.
pub fn server() -> String {
    std::env::var(VARIABLE).unwrap_or_else(|_| {
        panic!("{VARIABLE} names no server: `cargo xtask services up postgres` starts one")
    })
}

/// A schema of its own in the server's database.
struct Schema {
    url: String,
    clock: FakeClock,
}

impl Schema {
    fn new() -> Self {
        let server = server();
        let name = format!("test_{}", uuid::Uuid::now_v7().simple());
        let url = format!("{server}?schema={name}&payload_bytes_max={PAYLOAD_BYTES_MAX}");
        Self { url, clock: FakeClock::default() }
    }

    async fn store(&self) -> Backend {
        let options = Options::parse(&self.url).expect("a good URL");
        let clock = Arc::new(self.clock.clone());
        Backend::of_ledger(&Postgres::open(options, clock).await.expect("the server answers"))
    }
}

#[async_trait]
impl Harness for Schema {
    fn clock(&self) -> &FakeClock {
        &self.clock
    }

    fn payload_bytes_max(&self) -> usize {
        PAYLOAD_BYTES_MAX
    }

    async fn open(&mut self) -> Backend {
        self.store().await
    }

    /// The old connections are simply left: to the server they are another process.
    async fn crash_and_reopen(&mut self, backend: Backend) -> Option<Backend> {
        drop(backend);
        Some(self.store().await)
    }
}

fn memory() -> impl Harness {
    Volatile::new(PAYLOAD_BYTES_MAX, |clock, payload_bytes_max| {
        Backend::of_ledger(&Memory::new(clock).with_payload_bytes_max(payload_bytes_max))
    })
}

conformance_suite!(Schema::new());
conformance_ledger!(Schema::new());
conformance_model!(Schema::new(), memory());
