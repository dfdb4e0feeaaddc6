//! The memory, held against the promises of the ports.

use waystation_memory::Memory;
use waystation_testing::conformance::{Backend, Harness, Volatile};
use waystation_testing::{conformance_ledger, conformance_model, conformance_suite};

fn memory() -> impl Harness {
    Volatile::new(4 * 1024, |clock, payload_bytes_max| {
        let memory = Memory::new(clock).with_payload_bytes_max(payload_bytes_max);
        Backend::of_ledger(&memory)
    })
}

conformance_suite!(memory(), keeps_nothing);
conformance_ledger!(memory(), keeps_nothing);

// The reference against itself: whatever differs is an answer that does not follow from what was
// asked, or a mistake of the model test.
conformance_model!(memory(), memory());
