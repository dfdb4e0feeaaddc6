//! Serves the dashboard over memory with pipelines that succeed, fail, retry, wait and run long:
//! `cargo run -p waystation-server --example showcase [PORT] [empty]`. It keeps nothing. With
//! `empty` there is no pipeline, as at the first start.

mod letters;
mod people;
mod picture;
mod world;

use std::time::Duration;

use serde_json::json;
use world::World;

/// After so many orders there is enough for people to do something.
const ORDERS_FIRST: u64 = 60;

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let port = arguments.first().and_then(|port| port.parse().ok()).unwrap_or(7280);
    if arguments.iter().any(|argument| argument == "empty") {
        let world = World::open(port).await;
        println!("http://{}", world.address);
        return std::future::pending().await;
    }
    let mut world = World::start(port).await;
    world.add(letters::LETTERS).await;
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
        if number == ORDERS_FIRST {
            people::come(&world).await;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
