//! `http` against a server of the test's own.

use std::time::Duration;

use serde_json::{Value, json};
use waystation_core::failure::{ErrorKind, Failure};

use crate::server::Server;
use crate::workbench::{build, once};

async fn ask(server: &Server, more: Value, params: Value) -> Result<Value, Failure> {
    let mut settings = json!({ "url": server.url("/orders/{id}"), "allow_private": true });
    let more = more.as_object().expect("an object").clone();
    settings.as_object_mut().expect("an object").extend(more);
    once("http", settings, params).await
}

#[tokio::test]
async fn requests_are_made_of_params_and_answers_are_kept() {
    let server = Server::start().await;
    server.says("201 Created", "x-request-id: r7\r\n", r#"{"total": 3}"#);
    let settings = json!({
        "method": "POST", "query": { "lang": "{lang}", "absent": "{absent}" },
        "headers": { "X-Customer": "{customer.id}" },
        "json": { "items": "{items}", "note": "for {customer.id}", "fixed": true },
        "status": "code", "keep_headers": { "request": "X-Request-Id", "none": "X-None" },
    });
    let params = json!({
        "id": "a/b", "lang": "d e", "customer": { "id": 9 }, "items": [{ "n": 1 }],
    });
    let given = ask(&server, settings, params).await.expect("answered");
    assert_eq!(
        given,
        json!({ "response": { "total": 3 }, "code": 201, "request": "r7", "none": null })
    );
    let (head, body) = server.bodies().remove(0);
    assert!(head.starts_with("post /orders/a%2fb?lang=d+e http/1.1\r\n"), "{head}");
    for header in [
        "x-customer: 9\r\n",
        "content-type: application/json\r\n",
        "idempotency-key: job-1/stage/1\r\n",
    ] {
        assert!(head.contains(header), "{head}");
    }
    assert_eq!(body, json!({ "items": [{ "n": 1 }], "note": "for 9", "fixed": true }));
}

#[tokio::test]
async fn answers_are_read_as_it_is_said() {
    let server = Server::start().await;
    for (settings, status, body, expected) in [
        (json!({ "response": "text", "output": "t" }), "200 OK", "hi", json!({ "t": "hi" })),
        (json!({}), "204 No Content", "", json!({ "response": null })),
        (
            json!({ "response": "nothing", "expect": [204, "4xx"], "status": "code" }),
            "404 Not Found",
            "no such order",
            json!({ "code": 404 }),
        ),
    ] {
        server.says(status, "", body);
        assert_eq!(ask(&server, settings, json!({ "id": 1 })).await.expect("answered"), expected);
    }
}

#[tokio::test]
async fn statuses_say_whether_another_attempt_can_help_and_when() {
    let server = Server::start().await;
    for (settings, status, headers, kind, wait) in [
        (json!({}), "429 Too Many", "retry-after: 7\r\n", ErrorKind::Transient, Some(7)),
        (json!({}), "503 Away", "", ErrorKind::Transient, None),
        (json!({}), "404 Not Found", "", ErrorKind::NotFound, None),
        (json!({}), "422 No", "", ErrorKind::Permanent, None),
        (json!({ "retry": ["409"] }), "409 Conflict", "", ErrorKind::Transient, None),
        (json!({ "retry": 409 }), "500 Broken", "", ErrorKind::Permanent, None),
        (json!({ "expect": 202 }), "200 OK", "", ErrorKind::Permanent, None),
    ] {
        server.says(status, headers, "why");
        let failure = ask(&server, settings, json!({ "id": 1 })).await.expect_err(status);
        assert_eq!((failure.kind, failure.retry_after), (kind, wait.map(Duration::from_secs)));
        assert!(failure.message.contains(": why"), "{failure}");
    }
}

#[tokio::test]
async fn what_changes_something_is_not_repeated_at_another_place() {
    let (server, other) = (Server::start().await, Server::start().await);
    let post = json!({ "method": "POST", "json": { "secret": 1 } });
    let location = format!("location: {}\r\n", other.url("/elsewhere"));
    server.says("307 Temporary Redirect", &location, "");
    let failure = ask(&server, post.clone(), json!({ "id": 1 })).await.expect_err("elsewhere");
    assert!(failure.message.contains("sends a POST on to"), "{failure}");
    assert_eq!((failure.kind, other.asked().len()), (ErrorKind::Permanent, 0));
    server.says("303 See Other", &location, "");
    other.says("200 OK", "", "7");
    let given = ask(&server, post.clone(), json!({ "id": 1 })).await.expect("answered");
    assert_eq!(given, json!({ "response": 7 }));
    let head = other.heads().remove(0);
    assert!(head.starts_with("get /elsewhere") && !head.contains("idempotency"), "{head}");
    server.says("307 Temporary Redirect", "location: /again\r\n", "");
    server.says("200 OK", "", "8");
    server.bodies();
    ask(&server, post, json!({ "id": 1 })).await.expect("answered");
    let bodies: Vec<_> = server.bodies().into_iter().map(|(_, body)| body).collect();
    assert_eq!(bodies, [json!({ "secret": 1 }), json!({ "secret": 1 })]);
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_wherever_they_come_from() {
    let server = Server::start().await;
    let closed = json!({ "allow_private": false });
    let failure = ask(&server, closed, json!({ "id": 1 })).await.expect_err("this machine");
    assert!(failure.message.contains("is no public address"), "{failure}");
    for url in ["http://169.254.169.254/", "http://localhost:1/", "file:///etc/passwd"] {
        let settings = json!({ "url": "{where}" });
        let failure = once("http", settings, json!({ "where": url })).await.expect_err(url);
        assert_eq!(failure.kind, ErrorKind::Permanent, "{failure}");
    }
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn requests_and_answers_that_cannot_be_are_told_of() {
    let server = Server::start().await;
    for (settings, params, words, kind) in [
        (json!({}), json!({}), "`url` needs param `id`", ErrorKind::MissingParam),
        (json!({}), json!({ "id": ".." }), "cannot stand in a URL", ErrorKind::InvalidParam),
        (
            json!({ "headers": { "X-A": "{a}" } }),
            json!({ "id": 1, "a": "secret\r\nX-B: 1" }),
            "`headers.x-a` gives a text that no header can hold",
            ErrorKind::InvalidParam,
        ),
        (
            json!({ "method": "PUT", "json": { "a": "{b}" } }),
            json!({ "id": 1 }),
            "the body needs param `b`",
            ErrorKind::MissingParam,
        ),
    ] {
        let failure = ask(&server, settings, params).await.expect_err(words);
        assert!(
            failure.message.contains(words) && !failure.message.contains("secret"),
            "{failure}"
        );
        assert_eq!(failure.kind, kind);
    }
    for (settings, body, words) in [
        (json!({}), "<html>".to_owned(), "answers no JSON"),
        (json!({ "max_bytes": 8 }), "x".repeat(9), "more than 8 bytes (hint: `max_bytes`)"),
    ] {
        server.says("200 OK", "", &body);
        let failure = ask(&server, settings, json!({ "id": 1 })).await.expect_err(words);
        assert!(failure.message.contains(words), "{failure}");
    }
    let both = json!({ "url": "https://a.b", "json": 1, "body": "x" });
    let problems = build("http", both).err().expect("two bodies");
    assert!(problems[0].contains("`json` and `body` are two bodies"), "{problems:?}");
    let secret = json!({ "url": "https://a.b", "headers": { "Authorization": "sesame{" } });
    let problems = build("http", secret).err().expect("a bad template");
    assert!(!problems[0].contains("sesame"), "{problems:?}");
}

#[tokio::test]
async fn whoever_does_not_answer_in_time_is_tried_again() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let settings = json!({ "url": url, "allow_private": true, "timeout_seconds": 0.05 });
    let failure = once("http", settings, json!({})).await.expect_err("silence");
    assert!(failure.message.contains("does not answer"), "{failure}");
    assert!(failure.kind.retryable());
}
