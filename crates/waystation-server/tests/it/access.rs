//! Who comes in: hosts, other sites' pages, tokens, sessions.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use waystation_server::access::Role;
use waystation_server::{Options, Server, ServerError};

use crate::world::{World, send};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_server_answers_to_names_of_this_machine_alone() {
    let world = World::open().await;
    world.get("/api/v1/jobs").await.is(200);
    let me = world.get("/api/v1/me").await.is(200).body;
    assert_eq!(me, json!({ "name": "local", "role": "admin", "proof": "open" }));
    let rebound = world.request(Method::GET, "/api/v1/jobs").header("host", "evil.example");
    send(rebound).await.problem(403, "cross_origin");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_other_sites_change_nothing() {
    let world = World::open().await;
    let path = "/api/v1/pipelines/scans/pause";
    for (name, value) in [
        ("origin", "http://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let request = world.request(Method::POST, path).header(name, value).json(&json!({}));
        send(request).await.problem(403, "cross_origin");
    }
    assert_eq!(world.get("/api/v1/pauses").await.is(200).body, json!([]));
    let own = world.request(Method::POST, path).header("origin", &world.url).json(&json!({}));
    send(own).await.is(200);
    let upgrade = world.request(Method::GET, "/api/v1/jobs");
    let upgrade = upgrade.header("upgrade", "websocket").header("origin", "http://evil.example");
    send(upgrade).await.problem(403, "cross_origin");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_that_others_reach_need_a_token() {
    let world = World::open().await;
    let address = SocketAddr::from(([0, 0, 0, 0], 0));
    let bound = Server::bind(world.client.clone(), Options { address, ..Options::default() }).await;
    assert!(matches!(bound, Err(ServerError::Unguarded(_))));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_begins_a_session_that_ends_with_it() {
    let (world, tokens) = World::guarded().await;
    let log_in = |token: &str| {
        let request = world.http.post(format!("{}/login", world.url));
        send(request.json(&json!({ "token": token })))
    };
    let answer = log_in(&tokens[&Role::Operator]).await.is(204);
    let cookie = answer.headers["set-cookie"].to_str().unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Secure"));
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let asked = |path: &str| {
        let request = world.http.get(format!("{}{path}", world.url));
        send(request.header("cookie", format!("theme=dark; {cookie}")))
    };
    let me = asked("/api/v1/me").await.is(200).body;
    assert_eq!(me, json!({ "name": "operator", "role": "operator", "proof": "session" }));
    asked("/api/v1/tokens").await.problem(403, "forbidden");
    world.delete("/api/v1/tokens/operator").await.is(204);
    asked("/api/v1/me").await.problem(401, "unauthenticated");
    log_in("wst_wrong").await.problem(401, "unauthenticated");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_log_in_and_out_by_redirection() {
    let (world, tokens) = World::guarded().await;
    let log_in = |fields: Vec<(&'static str, String)>| {
        let request = world.http.post(format!("{}/login", world.url));
        send(request.header("x-forwarded-proto", "https").form(&fields))
    };
    let token = tokens[&Role::Viewer].clone();
    let answer = log_in(vec![("token", token.clone()), ("next", "/inbox".into())]).await.is(303);
    assert_eq!(answer.headers["location"], "/inbox");
    let cookie = answer.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.ends_with("; Secure"), "a proxy says that it was asked by HTTPS");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let away = log_in(vec![("token", token), ("next", "//evil.example".into())]).await.is(303);
    assert_eq!(away.headers["location"], "/");
    let wrong = log_in(vec![("token", "wst_no".into())]).await.is(303);
    assert_eq!(wrong.headers["location"], "/login?failed=wrong");
    let out = world.http.post(format!("{}/logout", world.url)).header("cookie", &cookie);
    send(out).await.is(204);
    let me = world.http.get(format!("{}/api/v1/me", world.url)).header("cookie", &cookie);
    send(me).await.problem(401, "unauthenticated");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_that_fail_are_limited_and_told_without_the_token() {
    let (world, tokens) = World::guarded().await;
    let log_in = |token: String| {
        let request = world.http.post(format!("{}/login", world.url));
        send(request.json(&json!({ "token": token })))
    };
    for _ in 0..10 {
        log_in("wst_guess".into()).await.problem(401, "unauthenticated");
    }
    log_in(tokens[&Role::Admin].clone()).await.problem(429, "too_many");
    let audit = world.get("/api/v1/audit").await.is(200).body;
    assert_eq!(audit["entries"].as_array().unwrap().len(), 11);
    assert_eq!(audit["entries"][0]["outcome"], "429 Too Many Requests");
    assert_eq!(audit["entries"][1]["outcome"], "401 Unauthorized");
    assert!(!audit.to_string().contains("wst_"));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_made_listed_and_taken_back() {
    let world = World::open().await;
    let made =
        world.post("/api/v1/tokens", json!({ "name": "ann", "role": "admin" })).await.is(201);
    let secret = made.body["secret"].as_str().unwrap().to_owned();
    world.get("/api/v1/tokens").await.problem(401, "unauthenticated");
    let with = |method, path: &str| world.request(method, path).bearer_auth(&secret);
    let listed = send(with(Method::GET, "/api/v1/tokens")).await.is(200).body;
    assert_eq!(listed[0]["name"], "ann");
    assert!(!listed.to_string().contains("secret"));
    let again =
        with(Method::POST, "/api/v1/tokens").json(&json!({ "name": "ann", "role": "viewer" }));
    send(again).await.problem(409, "conflict");
    let past = json!({ "name": "bob", "role": "viewer", "expires_at": "soon" });
    send(with(Method::POST, "/api/v1/tokens").json(&past)).await.problem(422, "invalid");
    send(with(Method::DELETE, "/api/v1/tokens/bob")).await.problem(404, "not_found");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_becomes_open_by_an_act_alone() {
    let world = World::open().await;
    let access = world.server.access();
    let soon = world.server.now().plus(Duration::from_millis(50));
    let made = access.add_token("brief", Role::Viewer, Some(soon)).await.unwrap();
    while world.server.now() <= soon {
        tokio::task::yield_now().await;
    }
    world.get("/api/v1/jobs").await.problem(401, "unauthenticated");
    let expired = world.request(Method::GET, "/api/v1/jobs").bearer_auth(&made.secret);
    send(expired).await.problem(401, "unauthenticated");
    access.add_token("last", Role::Viewer, None).await.unwrap();
    assert!(access.remove_token("last").await.unwrap());
    world.get("/api/v1/jobs").await.is(200);
    world.end().await;
}
