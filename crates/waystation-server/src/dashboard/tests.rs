//! Pages as programs see them: who may, what is asked for again, what browsers are told.

use std::time::Duration;

use reqwest::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use waystation_core::job::TaskFilter;
use waystation_core::state::JobState;

use crate::access::Role;
use crate::options::Limits;
use crate::world::World;

const PAGES: [&str; 12] = [
    "/",
    "/pipelines",
    "/pipelines/p",
    "/executors",
    "/jobs?state=waiting&text=x",
    "/inbox",
    "/queues",
    "/dead",
    "/workers",
    "/sources",
    "/operations",
    "/audit",
];

fn browser() -> Client {
    // Other crates' features leave the choice of a TLS library to us.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let browser = Client::builder().redirect(redirect::Policy::none());
    browser.timeout(Duration::from_secs(20)).build().expect("a client")
}

async fn ask(request: RequestBuilder) -> Response {
    request.send().await.expect("an answer")
}

async fn page(world: &World, path: &str) -> String {
    let answer = ask(browser().get(format!("http://{}{path}", world.address))).await;
    assert_eq!(answer.status(), StatusCode::OK, "{path}");
    let policy = answer.headers()[CONTENT_SECURITY_POLICY].to_str().expect("a text").to_owned();
    assert!(policy.starts_with("default-src 'self';"), "{policy}");
    answer.text().await.expect("a page")
}

#[tokio::test]
async fn pages_hold_no_script_and_no_style_of_their_own() {
    let world = World::new(Limits::default()).await;
    let job_id = world.submit().await;
    let job = format!("/jobs/{job_id}");
    for path in PAGES.into_iter().chain([&*job, "/tokens", "/login"]) {
        let page = page(&world, path).await;
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{path}");
        assert!(page.contains("<main id=\"main\""), "{path}");
        for bad in [" style=", "<style", "onclick", "javascript:", "<script>"] {
            assert!(!page.contains(bad), "{bad} in {path}");
        }
    }
}

#[tokio::test]
async fn before_the_first_job_the_overview_says_what_to_do() {
    let world = World::new(Limits::default()).await;
    let first = page(&world, "/").await;
    assert!(first.contains("waystation submit") && !first.contains("id=\"figures\""), "{first}");
}

#[tokio::test]
async fn sections_are_asked_for_alone() {
    let world = World::new(Limits::default()).await;
    world.submit().await;
    let address = format!("http://{}/", world.address);
    let request = browser().get(address).header("x-waystation-fragment", "figures,waiting");
    let sections = ask(request).await.text().await.expect("sections");
    assert!(sections.contains("id=\"figures\"") && sections.contains("id=\"waiting\""));
    assert!(!sections.contains("id=\"failed\"") && !sections.contains("<html"), "{sections}");
}

#[tokio::test]
async fn a_task_is_answered_by_a_plain_form() {
    let world = World::new(Limits::default()).await;
    let job_id = world.submit().await;
    let store = &world.context.backend().store;
    let task = store.tasks(TaskFilter::first(1)).await.expect("readable").remove(0);
    let address = format!("http://{}/inbox/{}", world.address, task.task_id);
    let answer = ask(browser().post(&address).form(&[("field.note", "a")])).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let page = answer.text().await.expect("a page");
    assert!(
        page.contains("<code>ok</code> (boolean) is absent") && page.contains(">a</textarea>"),
        "{page}"
    );
    let answer = ask(browser().post(&address).form(&[("field.ok", "true")])).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()[LOCATION], "/inbox");
    let job = store.job(&job_id).await.expect("readable").expect("it exists");
    assert_eq!((job.state, &job.params["ok"]), (JobState::Completed, &true.into()));
    let again = ask(browser().post(&address).form(&[("field.ok", "true")])).await;
    assert_eq!(again.status(), StatusCode::SEE_OTHER, "it was answered");
}

#[tokio::test]
async fn who_may_look_may_not_act() {
    let world = World::new(Limits::default()).await;
    let job_id = world.submit().await;
    let access = world.context.access();
    let viewer = access.add_token("vera", Role::Viewer, None).await.expect("made").secret;
    let at = |path: &str| format!("http://{}{path}", world.address);
    let unknown = ask(browser().get(at("/jobs?state=failed"))).await;
    assert_eq!(unknown.status(), StatusCode::SEE_OTHER);
    assert_eq!(unknown.headers()[LOCATION], "/login?next=%2Fjobs%3Fstate%3Dfailed");
    let job = format!("/jobs/{job_id}");
    let page = ask(browser().get(at(&job)).bearer_auth(&viewer)).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(!page.text().await.expect("a page").contains("<form"), "nothing to act with");
    for path in [&*format!("{job}/abort"), "/pauses", "/operations", "/jobs", "/tokens"] {
        let refused = browser().post(at(path)).bearer_auth(&viewer).form(&[("act", "abort")]);
        assert_eq!(ask(refused).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    for path in ["/tokens", "/audit"] {
        let answer = ask(browser().get(at(path)).bearer_auth(&viewer)).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "as through the API: {path}");
    }
}

#[tokio::test]
async fn browsers_are_shown_a_page_whatever_is_wrong() {
    let world = World::new(Limits::default()).await;
    let at = |path: &str| format!("http://{}{path}", world.address);
    let accepted = "text/html,application/xhtml+xml,*/*;q=0.8";
    for (path, status, is_page) in [
        ("/nothing/here", 404, true),
        ("/jobs/none", 404, true),
        ("/logout", 405, true),
        ("/jobs?state=gone", 422, true),
        ("/api/v1/nothing", 404, false),
        ("/api/v1/jobs/none", 404, false),
    ] {
        let answer = ask(browser().get(at(path)).header("accept", accepted)).await;
        assert_eq!(answer.status(), status, "{path}");
        let text = answer.text().await.expect("a text");
        assert_eq!(text.starts_with("<!DOCTYPE html>"), is_page, "{path}: {text}");
    }
    let answer = ask(browser().get(at("/nothing/here")).header("accept", "*/*")).await;
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
    let filters = ask(browser().get(at("/jobs?from=soon&text=a"))).await;
    let filters = filters.text().await.expect("a page");
    assert!(filters.contains("<code>soon</code> is no moment"), "{filters}");
    assert!(filters.contains("value=\"a\""), "the rest of the filter stays: {filters}");
}

#[tokio::test]
async fn acts_of_pages_are_in_the_audit_log_by_their_names() {
    let world = World::new(Limits::default()).await;
    let address = format!("http://{}/pauses", world.address);
    let form = [("target", "stage/p/check"), ("act", "pause"), ("reason", "x"), ("back", "/")];
    assert_eq!(ask(browser().post(&address).form(&form)).await.status(), StatusCode::SEE_OTHER);
    let page = page(&world, "/audit").await;
    assert!(page.contains("<code>pause_stage</code>"), "{page}");
}

#[tokio::test]
async fn other_sites_do_not_act_in_somebodys_name() {
    let world = World::new(Limits::default()).await;
    let job_id = world.submit().await;
    let address = format!("http://{}/jobs/{job_id}/abort", world.address);
    let request = browser().post(address).header("sec-fetch-site", "cross-site");
    let refused = ask(request.form(&[("reason", "x")])).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}
