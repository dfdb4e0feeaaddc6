//! What the walk over the real program does not come to: keys, and how far a job is.

use serde_json::{Value, json};
use waystation_testing::browser::Web;

use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chromedriver_answers_by_keys_and_sees_how_far_a_job_is() {
    let world = World::start(0).await;
    let web = Web::open(format!("http://{}", world.address)).await;
    tasks_are_answered_by_keys(&world, &web).await;
    a_running_job_tells_how_far_it_is(&world, &web).await;
}

async fn tasks_are_answered_by_keys(world: &World, web: &Web) {
    for number in 0..3 {
        world.submit("scans", json!({ "name": format!("page {number}") })).await;
    }
    web.go("/inbox").await;
    web.until("document.querySelectorAll('#tasks li[id]').length === 3").await;
    for _ in 0..3 {
        let task = web.find("[data-task]").await.attr("data-task").await.expect("readable");
        let task = task.expect("its number");
        if web.run("return Boolean(document.querySelector('[data-corners]'))").await == json!(true)
        {
            move_a_corner(web).await;
        } else {
            // The picture is there, and the key chooses.
            web.until("document.querySelector('.preview img').naturalWidth === 480").await;
            web.write("body", "y").await;
            web.until("document.querySelector('[value=true]').checked").await;
        }
        web.write("body", "a").await;
        web.until(&format!("document.querySelector('[data-task]')?.dataset.task !== '{task}'"))
            .await;
    }
    web.until("document.body.textContent.includes('Nothing waits for a person.')").await;
}

/// Moves the second corner to the right.
async fn move_a_corner(web: &Web) {
    let right = "\u{e014}";
    let field = "document.querySelector('[data-corners-field]').value";
    web.write("[data-corner='1']", right).await;
    web.until(&format!("{field} !== ''")).await;
    let first = web.run(&format!("return JSON.parse({field})")).await;
    web.write("[data-corner='1']", right).await;
    web.until(&format!("{field} !== {:?}", first.to_string())).await;
    let moved = web.run(&format!("return JSON.parse({field})")).await;
    let x = |points: &Value| points[1][0].as_f64().expect("a number");
    assert!((x(&moved) - x(&first) - 1.0).abs() < 0.5, "{first} {moved}");
}

async fn a_running_job_tells_how_far_it_is(world: &World, web: &Web) {
    let job_id = world.submit("long", json!({ "item": "a" })).await;
    web.go(&format!("/jobs/{job_id}")).await;
    web.mark().await;
    web.until("document.querySelector('#facts .badge.running')").await;
    web.until("document.querySelector('[data-progress] progress').value > 0.1").await;
    web.until("document.querySelector('[data-log-fresh] li')").await;
    assert!(web.is_marked().await, "the page was loaded again");
}
