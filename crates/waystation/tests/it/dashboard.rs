//! The demo as people meet it at its dashboard: the real program in a real browser.

use serde_json::{Value, json};
use waystation_testing::browser::Web;

use crate::program::{Place, Running};

/// Gives a roll whose first photo is hopeless, and no other of the first four.
const SEED: [&str; 2] = ["--seed", "4"];

/// Runs for minutes, until it is told to end, or until its folder is gone.
const LONG: &str = "{ name: long, stages: [{ id: simulate, type: exec, settings: { command: \
                    'for turn in $(seq 900); do [ -e long.yaml ] || exit; sleep 0.2; done' } }] }";
/// Fails until there is an account.
const BOOKING: &str = "{ name: booking, stages: [{ id: book, type: exec, settings: { command: \
                       'cat account.json' } }] }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chromedriver_walks_from_the_demo_to_a_bulk_retry() {
    let place = Place::new().with("WAYSTATION_STORE", "sqlite://waystation-demo/demo.db");
    let (demo, address) = start_with_photos_in_line(&place);
    let web = Web::open(address).await;
    stages_move_without_a_reload(&place, &web).await;
    three_tasks_are_answered(&place, &web).await;
    a_running_job_is_aborted(&place, &web).await;
    all_failed_jobs_are_retried(&place, &web).await;
    drop(web);
    // The last answer ends the demo.
    place.run(&["inbox", "answer", "4", "--answer", r#"{"ok": true}"#]).exits(0);
    demo.wait_for("corrected by hand");
    assert_eq!(demo.end(), Some(0));
}

/// Starts the demo so that it can be seen from where on its jobs move, however fast it is: one
/// photo waits for a person since an earlier demo, three stand before a stage that is paused.
fn start_with_photos_in_line(place: &Place) -> (Running, String) {
    let demo = ["demo", SEED[0], SEED[1], "--images"];
    place.run(&[&demo[..], &["1", "--no-serve"]].concat()).exits(0);
    place.run(&["pause", "page-photos/rectify"]).exits(0);
    let demo = place.start(&[&demo[..], &["4", "--serve", "127.0.0.1:0"]].concat());
    let line = demo.wait_for("the dashboard: ");
    let address = line.rsplit(' ').next().expect("an address").to_owned();
    (demo, address)
}

async fn stages_move_without_a_reload(place: &Place, web: &Web) {
    web.go("/pipelines/page-photos").await;
    web.until("document.getElementById('connection').dataset.state === 'live'").await;
    let notes = |class: &str| {
        format!("[...document.querySelectorAll('.note.{class}')].map((note) => note.textContent)")
    };
    let (queued, waiting) = (notes("queued"), notes("waiting"));
    web.until(&format!("{queued}.join() === '3 in line'")).await;
    web.until(&format!("{waiting}.join() === '1 waiting'")).await;
    web.mark().await;
    place.run(&["resume", "page-photos/rectify"]).exits(0);
    web.until(&format!("{waiting}.join() === '3 waiting,1 waiting'")).await;
    web.until(&format!("{queued}.length === 0")).await;
    assert!(web.is_marked().await, "the page was loaded again");
}

async fn three_tasks_are_answered(place: &Place, web: &Web) {
    web.go("/inbox").await;
    let mut tasks = Vec::new();
    let mut jobs = Vec::new();
    let mut dragged = None;
    for _ in 0..3 {
        let task = attribute(web, "[data-task]", "data-task").await;
        assert!(!tasks.contains(&task), "the next task opens by itself: {tasks:?}");
        jobs.push(attribute(web, "#standing a[href^='/jobs/']", "href").await);
        if web.run("return Boolean(document.querySelector('[data-corners]'))").await == json!(true)
        {
            assert!(dragged.is_none(), "one photo is hopeless");
            dragged = Some(drag_the_corners(web).await);
        } else {
            web.until("document.querySelector('.preview img').naturalWidth > 0").await;
            web.click(".choice label:has([value=true])").await;
        }
        web.click(".answer button.primary").await;
        web.until(&format!("document.querySelector('[data-task]')?.dataset.task !== '{task}'"))
            .await;
        tasks.push(task);
    }
    for job in &jobs {
        web.go(job).await;
        web.until("document.querySelector('#facts .badge.completed')").await;
    }
    // The hopeless photo is the oldest.
    let job = place.show(jobs[0].trim_start_matches("/jobs/"));
    let kept = &job["job"]["params"]["corners"];
    assert_eq!(points(kept), points(&dragged.expect("corners were asked for")));
}

fn points(corners: &Value) -> Vec<Vec<f64>> {
    serde_json::from_value(corners.clone()).expect("points")
}

/// Drags two corners by the mouse; gives what is answered then.
async fn drag_the_corners(web: &Web) -> Value {
    let field = "document.querySelector('[data-corners-field]').value";
    web.until("document.querySelector('[data-corners] img').naturalWidth === 1200").await;
    assert_eq!(web.run(&format!("return {field}")).await, json!(""));
    web.drag("[data-corner='0']", (20.0, 30.0)).await;
    web.until(&format!("{field} !== ''")).await;
    let first = web.run(&format!("return JSON.parse({field})")).await;
    web.drag("[data-corner='2']", (-20.0, -10.0)).await;
    web.until(&format!("{field} !== {:?}", first.to_string())).await;
    let both = web.run(&format!("return JSON.parse({field})")).await;
    assert_eq!((&both[0], &both[1], &both[3]), (&first[0], &first[1], &first[3]));
    // They stood at an eighth of the picture's width, more or less.
    let x = |corner: usize| both[corner][0].as_f64().expect("a number");
    assert!(x(0) > x(3) + 10.0 && x(2) < x(1) - 10.0, "{both}");
    both
}

async fn a_running_job_is_aborted(place: &Place, web: &Web) {
    place.write("long.yaml", LONG);
    let run = place.start(&["run", "long.yaml", "--lease-seconds", "3"]);
    run.wait_for("running long version 1");
    let job = place.run(&["submit", "long.yaml"]).exits(0).word();
    web.go(&format!("/jobs/{job}")).await;
    web.mark().await;
    web.until("document.querySelector('#facts .badge.running')").await;
    assert!(web.is_marked().await, "the page was loaded again");
    web.write("#acts input[name=reason]", "taken by mistake").await;
    web.click("#acts button.danger").await;
    web.until("document.querySelector('#facts .badge.aborted')").await;
    web.until("document.getElementById('why').textContent.includes('taken by mistake')").await;
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
}

async fn all_failed_jobs_are_retried(place: &Place, web: &Web) {
    place.write("booking.yaml", BOOKING);
    let run = place.start(&["run", "booking.yaml"]);
    run.wait_for("running booking version 1");
    for _ in 0..3 {
        place.run(&["submit", "booking.yaml"]).exits(0);
    }
    web.go("/jobs?state=failed").await;
    web.until("document.querySelectorAll('#jobs tbody tr').length === 3").await;
    place.write("account.json", r#"{"booked": true}"#);
    web.click("[value=retry-all]").await;
    web.until("document.querySelector('.ask .figure')?.textContent === '3 jobs'").await;
    web.write("[name=reason]", "accounts were made").await;
    web.click(".ask button.primary").await;
    web.until("document.querySelector('#operation .badge.completed')").await;
    web.until("document.getElementById('operation').textContent.includes('Done3')").await;
    web.go("/jobs?pipeline=booking&state=completed").await;
    web.until("document.querySelectorAll('#jobs tbody tr').length === 3").await;
    web.go("/audit").await;
    web.until("document.body.textContent.includes('/operations')").await;
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
}

async fn attribute(web: &Web, css: &str, name: &str) -> String {
    let value = web.find(css).await.attr(name).await.expect("it can be read");
    value.unwrap_or_else(|| panic!("{css} has no {name}"))
}
