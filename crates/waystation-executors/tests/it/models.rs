//! `llm` and `embed` against a server of the test's own, which answers as such services do.

use serde_json::{Value, json};
use waystation_core::failure::{ErrorKind, Failure};

use crate::server::Server;
use crate::workbench::{build, once};

fn settings(server: &Server, more: Value) -> Value {
    let service = json!({ "url": server.url("/v1"), "api_key": "sesame", "allow_private": true });
    let mut settings = json!({ "service": service, "model": "small" });
    let Value::Object(more) = more else { panic!("an object") };
    settings.as_object_mut().expect("an object").extend(more);
    settings
}

fn says(server: &Server, text: &str, end: &str) {
    let message = json!({ "role": "assistant", "content": text });
    let answer = json!({
        "choices": [{ "index": 0, "message": message, "finish_reason": end }],
        "usage": { "prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7 },
    });
    server.says("200 OK", "", &answer.to_string());
}

#[tokio::test]
async fn models_are_asked_with_params_and_their_answers_kept() {
    let server = Server::start().await;
    says(&server, "A summary.", "stop");
    let more = json!({
        "system": "Answer in {language}.", "prompt": "Sum up:\n{text}", "temperature": 0.0,
        "max_tokens": 50, "more": { "seed": 7 }, "output": "summary",
    });
    let params = json!({ "language": "German", "text": "Long {text}." });
    let given = once("llm", settings(&server, more), params).await.expect("answered");
    assert_eq!(
        (&given["summary"], &given["usage"]["total_tokens"]),
        (&json!("A summary."), &json!(7))
    );
    let (head, body) = server.bodies().remove(0);
    assert!(head.starts_with("post /v1/chat/completions"), "{head}");
    assert!(head.contains("authorization: bearer sesame"), "{head}");
    assert_eq!(
        body,
        json!({
            "model": "small", "temperature": 0.0, "max_tokens": 50, "seed": 7,
            "messages": [
                { "role": "system", "content": "Answer in German." },
                { "role": "user", "content": "Sum up:\nLong {text}." },
            ],
        })
    );
}

#[tokio::test]
async fn answers_of_json_are_held_against_their_schema() {
    let server = Server::start().await;
    let schema = json!({
        "type": "object", "properties": { "n": { "type": "integer" } }, "required": ["n"],
    });
    let more = json!({ "prompt": "Count.", "schema": schema });
    for (text, expected) in [
        (r#"{"n": 3}"#, Ok(json!({ "n": 3 }))),
        (r#"{"n": "three"}"#, Err("does not fit `schema` at `/n`")),
        ("Three!", Err("is no JSON")),
    ] {
        says(&server, text, "stop");
        match (once("llm", settings(&server, more.clone()), json!({})).await, expected) {
            (Ok(given), Ok(expected)) => assert_eq!(given["answer"], expected),
            (Err(failure), Err(words)) => {
                assert!(failure.message.contains(words), "{failure}");
                assert!(failure.kind.retryable(), "another answer may fit: {failure}");
            }
            (got, expected) => panic!("{got:?}, not {expected:?}"),
        }
    }
    let (_, body) = server.bodies().remove(0);
    assert_eq!(body["response_format"]["json_schema"]["schema"], schema);
}

#[tokio::test]
async fn answers_that_are_none_are_told_of() {
    let server = Server::start().await;
    let ask = async || once("llm", settings(&server, json!({ "prompt": "x" })), json!({})).await;
    says(&server, "half an ans", "length");
    let check = |got: Result<Value, Failure>, words: &str, kind: ErrorKind| {
        let failure = got.expect_err(words);
        assert!(failure.message.contains(words), "{failure}");
        assert!(!failure.to_string().contains("sesame"), "{failure}");
        assert_eq!(failure.kind, kind);
    };
    check(ask().await, "was cut off (hint: `max_tokens`)", ErrorKind::Permanent);
    says(&server, "", "content_filter");
    check(ask().await, "filter kept the answer back", ErrorKind::Permanent);
    server.says("200 OK", "", r#"{"choices": [{"message": {"refusal": "I cannot."}}]}"#);
    check(ask().await, "the model refuses: I cannot.", ErrorKind::Permanent);
    server.says("200 OK", "", r#"{"choices": []}"#);
    check(ask().await, "has no `choices`", ErrorKind::Contract);
    server.says("401 Unauthorized", "", r#"{"error": {"message": "bad key"}}"#);
    check(ask().await, "401 Unauthorized: {\"error\"", ErrorKind::Permanent);
    server.says("429 Too Many Requests", "retry-after: 3\r\n", "");
    let failure = ask().await.expect_err("later");
    assert_eq!(failure.retry_after.map(|wait| wait.as_secs()), Some(3));
}

fn vectors(server: &Server, vectors: &[(u64, f64)]) {
    let one = |(index, x): &(u64, f64)| json!({ "index": index, "embedding": [x, 1.0] });
    let data: Vec<_> = vectors.iter().map(one).collect();
    let answer = json!({ "data": data, "usage": { "prompt_tokens": 2, "total_tokens": 2 } });
    server.says("200 OK", "", &answer.to_string());
}

#[tokio::test]
async fn texts_become_vectors_in_their_order_many_at_a_time() {
    let server = Server::start().await;
    vectors(&server, &[(1, 0.2), (0, 0.1)]);
    vectors(&server, &[(0, 0.3)]);
    let more = json!({ "text": "chunks", "field": "text", "batch": 2, "dimensions": 2 });
    let chunks = json!([{ "text": "a" }, { "text": "b" }, { "text": "c" }]);
    let params = json!({ "chunks": chunks });
    let given = once("embed", settings(&server, more), params).await.expect("vectors");
    assert_eq!(
        given,
        json!({
            "embedding": [[0.1, 1.0], [0.2, 1.0], [0.3, 1.0]],
            "usage": { "prompt_tokens": 4, "total_tokens": 4 },
        })
    );
    let bodies = server.bodies();
    assert!(bodies[0].0.starts_with("post /v1/embeddings"));
    assert_eq!(bodies[0].1, json!({ "model": "small", "dimensions": 2, "input": ["a", "b"] }));
    vectors(&server, &[(0, 0.5)]);
    let one = once("embed", settings(&server, json!({})), json!({ "text": "a" })).await;
    assert_eq!(one.expect("a vector")["embedding"], json!([0.5, 1.0]));
}

#[tokio::test]
async fn vectors_that_are_lacking_are_told_of() {
    let server = Server::start().await;
    let ask = async |params| once("embed", settings(&server, json!({})), params).await;
    vectors(&server, &[(0, 0.1)]);
    let failure = ask(json!({ "text": ["a", "b"] })).await.expect_err("one");
    assert!(failure.message.contains("has 1 vectors for 2 texts"), "{failure}");
    vectors(&server, &[(4, 0.1)]);
    let failure = ask(json!({ "text": ["a"] })).await.expect_err("another's");
    assert!(failure.message.contains("`data[0]` of the answer is no vector"), "{failure}");
    let failure = ask(json!({ "text": ["a", 7] })).await.expect_err("a number");
    assert!(failure.message.contains("item 1 of param `text` must be a text"), "{failure}");
    assert_eq!(ask(json!({ "text": [] })).await.expect("nothing")["embedding"], json!([]));
}

#[test]
fn services_that_cannot_be_are_refused_without_their_secrets() {
    for (service, words) in [
        (json!({ "url": "http://10.0.0.1/v1" }), "setting `service.url`: `10.0.0.1` is"),
        (json!({ "url": "ftp://x" }), "setting `service.url` must be"),
        (json!({ "api_key": "se\ncret" }), "`authorization` is no header"),
        (json!({ "key": "x" }), "unknown setting `service.key`"),
    ] {
        let settings = json!({ "service": service, "model": "m", "prompt": "p" });
        let problems = build("llm", settings).err().expect(words);
        assert!(problems[0].contains(words) && !problems[0].contains("cret"), "{problems:?}");
    }
}
