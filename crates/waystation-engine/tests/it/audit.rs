//! Who did what, and for how long that is known.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use waystation_core::clock::Clock;
use waystation_engine::control::{AuditEntry, AuditPage};
use waystation_testing::FakeClock;
use waystation_testing::faults::NeverReturns;

use crate::world::World;

const ONE: &str = "name: test\nstages: [{ id: a, type: x }]";

#[tokio::test]
async fn entries_come_newest_first_and_are_kept_for_ninety_days() {
    let clock = FakeClock::new();
    let world = World::by(clock.shared(), ONE, [("x", Arc::new(NeverReturns))]).await;
    let entry = |action: &str, detail: Value| AuditEntry {
        at: clock.now(),
        by: "ann".into(),
        role: Some("operator".into()),
        action: action.into(),
        target: "pipeline/test".into(),
        detail,
        outcome: "done".into(),
    };
    world.client.write_audit(entry("pipeline.pause", Value::Null)).await.expect("kept");
    clock.advance(Duration::from_hours(24 * 30));
    world.client.write_audit(entry("pipeline.resume", json!({ "a": 1 }))).await.expect("kept");
    let large = json!({ "params": "x".repeat(300_000) });
    world.client.write_audit(entry("job.retry", large)).await.expect("kept");
    let page = async |before: Option<String>, limit: usize| {
        world.client.audit(AuditPage { before, limit }).await.expect("read")
    };
    let all = page(None, 10).await;
    let actions: Vec<_> = all.iter().map(|one| one.entry.action.as_str()).collect();
    assert_eq!(actions, ["job.retry", "pipeline.resume", "pipeline.pause"]);
    assert!(all[0].entry.detail["cut"].as_str().is_some_and(|text| text.contains("bytes")));
    assert_eq!(page(Some(all[0].key.clone()), 1).await, [all[1].clone()]);
    assert_eq!(json!(all[1])["key"], json!(all[1].key));
    clock.advance(Duration::from_hours(24 * 60));
    assert_eq!(page(None, 10).await.len(), 2, "the first one is gone");
}
