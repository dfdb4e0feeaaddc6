//! The walk: from the pipeline to the inbox, to a job's end, to an abort and a bulk retry.

use fantoccini::actions::{InputSource, MouseActions, PointerAction};
use serde_json::{Value, json};
use waystation_core::id::JobId;
use waystation_core::job::JobFilter;
use waystation_core::state::JobState;

use crate::web::{WAIT_MAX, Web};
use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chromedriver_walks_from_stages_that_move_to_a_bulk_retry() {
    let world = World::start(0).await;
    let web = Web::open(format!("http://{}", world.address)).await;
    stages_move_without_a_reload(&world, &web).await;
    three_tasks_are_answered(&world, &web).await;
    a_running_job_is_aborted(&world, &web).await;
    all_failed_jobs_are_retried(&world, &web).await;
    web.window.clone().close().await.expect("closed");
}

async fn stages_move_without_a_reload(world: &World, web: &Web) {
    web.go("/pipelines/scans").await;
    web.until("document.getElementById('connection').dataset.state === 'live'").await;
    web.mark().await;
    for number in 0..3 {
        world.submit("scans", json!({ "name": format!("page {number}") })).await;
    }
    let waiting = "[...document.querySelectorAll('.note.waiting')].map((note) => note.textContent)";
    web.until(&format!("{waiting}.join() === '2 waiting,1 waiting'")).await;
    assert!(web.is_marked().await, "the page was loaded again");
}

async fn three_tasks_are_answered(world: &World, web: &Web) {
    web.go("/inbox").await;
    let mut seen = Vec::new();
    for answered in 0..3 {
        let task = web.find("[data-task]").await.attr("data-task").await.expect("readable");
        let task = task.expect("its number");
        assert!(!seen.contains(&task), "the next task opens by itself: {seen:?}");
        if web.run("return Boolean(document.querySelector('[data-corners]'))").await == json!(true)
        {
            drag_a_corner(web).await;
        } else {
            // The picture is there, and the key chooses.
            web.until("document.querySelector('.preview img').naturalWidth === 480").await;
            web.find("body").await.send_keys("y").await.expect("a key");
            web.until("document.querySelector('[value=true]').checked").await;
        }
        web.click(".answer button.primary").await;
        web.until(&format!("document.querySelector('[data-task]')?.dataset.task !== '{task}'"))
            .await;
        seen.push(task);
        assert_eq!(seen.len(), answered + 1);
    }
    web.until("document.body.textContent.includes('Nothing waits for a person.')").await;
    let pipeline = Some("scans".into());
    let all = JobFilter { pipeline, limit: 10, ..JobFilter::default() };
    let jobs = world.client.backend().store.jobs(all).await.expect("readable").jobs;
    assert_eq!(jobs.len(), 3);
    for job in jobs {
        reach(world, &job.job_id, JobState::Completed).await;
    }
}

/// Drags the first corner by the mouse, and moves the second one by a key.
async fn drag_a_corner(web: &Web) {
    let handle = web.find("[data-corner='0']").await;
    let before = web.run("return document.querySelector('[data-corners-field]').value").await;
    let (x, y, width, height) = handle.rectangle().await.expect("it is drawn");
    let (x, y) = (x + width / 2.0, y + height / 2.0);
    let to = |x, y| PointerAction::MoveTo { duration: None, x, y };
    let drag = MouseActions::new("mouse".to_owned())
        .then(to(x, y))
        .then(PointerAction::Down { button: 0 })
        .then(to(x + 20.0, y + 10.0))
        .then(to(x + 40.0, y + 30.0))
        .then(PointerAction::Up { button: 0 });
    web.window.perform_actions(drag).await.expect("dragged");
    let field = "document.querySelector('[data-corners-field]').value";
    web.until(&format!("{field} !== {before}")).await;
    let dragged = web.run(&format!("return JSON.parse({field})")).await;
    web.find("[data-corner='1']").await.send_keys("\u{e014}").await.expect("a key");
    web.until(&format!("{field} !== {:?}", dragged.to_string())).await;
    let moved = web.run(&format!("return JSON.parse({field})")).await;
    let at = |points: &Value, corner: usize| points[corner][0].as_f64().expect("a number");
    assert!((at(&moved, 1) - at(&dragged, 1) - 1.0).abs() < 0.5, "{dragged} {moved}");
}

async fn a_running_job_is_aborted(world: &World, web: &Web) {
    let job_id = world.submit("long", json!({ "item": "a" })).await;
    web.go(&format!("/jobs/{job_id}")).await;
    web.mark().await;
    web.until("document.querySelector('#facts .badge.running')").await;
    web.until("document.querySelector('[data-progress] progress').value > 0.1").await;
    web.until("document.querySelector('[data-log-fresh] li')").await;
    assert!(web.is_marked().await, "the page was loaded again");
    let reason = web.find("#acts input[name=reason]").await;
    reason.send_keys("taken by mistake").await.expect("written");
    web.click("#acts button.danger").await;
    web.until("document.querySelector('#facts .badge.aborted')").await;
    web.until("document.getElementById('why').textContent.includes('taken by mistake')").await;
    reach(world, &job_id, JobState::Aborted).await;
}

async fn all_failed_jobs_are_retried(world: &World, web: &Web) {
    for order in [3, 20, 37] {
        let job_id = world.submit("orders", json!({ "order": order })).await;
        reach(world, &job_id, JobState::Failed).await;
    }
    web.go("/jobs?pipeline=orders&state=failed").await;
    web.until("document.querySelectorAll('#jobs tbody tr').length === 3").await;
    web.click("[value=retry-all]").await;
    web.until("document.querySelector('.ask .figure')?.textContent === '3 jobs'").await;
    web.find("[name=reason]").await.send_keys("accounts were made").await.expect("written");
    web.click(".ask button.primary").await;
    web.until("document.querySelector('#operation .badge.completed')").await;
    web.until("document.getElementById('operation').textContent.includes('Done3')").await;
    web.go("/audit").await;
    web.until("document.body.textContent.includes('/operations')").await;
}

/// Waits until a job is in this state.
async fn reach(world: &World, job_id: &JobId, state: JobState) {
    let backend = world.client.backend();
    let mut signals = backend.bus.subscribe();
    let waiting = async {
        loop {
            let job = backend.store.job(job_id).await.expect("readable").expect("it exists");
            if job.state == state {
                return;
            }
            signals.next().await.expect("the bus lives");
        }
    };
    tokio::time::timeout(WAIT_MAX, waiting).await.expect("it comes to this state");
}
