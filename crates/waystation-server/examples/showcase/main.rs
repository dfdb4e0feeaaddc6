//! Serves the dashboard over memory with pipelines that succeed, fail, retry, wait and run long:
//! `cargo run -p waystation-server --example showcase`. It keeps nothing.

mod picture;
mod world;

use std::time::Duration;

use serde_json::json;
use world::World;

#[tokio::main]
async fn main() {
    let port = std::env::args().nth(1).and_then(|port| port.parse().ok()).unwrap_or(7280);
    let world = World::start(port).await;
    println!("http://{}", world.address);
    for number in 0..6 {
        world.submit("scans", json!({ "name": format!("page {number}") })).await;
    }
    for item in ["a", "b"] {
        world.submit("long", json!({ "item": item })).await;
    }
    for number in 0_u64.. {
        world.submit("orders", json!({ "order": number, "customer": "ada" })).await;
        if number.is_multiple_of(60) {
            world.submit("scans", json!({ "name": format!("page {number}") })).await;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
