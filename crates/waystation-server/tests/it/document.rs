//! The OpenAPI document, and what it says of who may do what.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use waystation_server::Code;
use waystation_server::access::Role;

use crate::world::World;

/// An operation as the document has it.
pub struct Operation {
    pub method: Method,
    pub path: String,
    pub said: Value,
}

/// Every operation of the server's document.
pub async fn operations(world: &World) -> Vec<Operation> {
    let document = world.get("/api/openapi.json").await.is(200).body;
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, said) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            operations.push(Operation { method, path: path.clone(), said: said.clone() });
        }
    }
    operations
}

/// The path with something in the place of its parts.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        "{task_id}" => "7",
        part if part.starts_with('{') => "nothing",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_says_who_may_and_what_comes_of_it() {
    let world = World::open().await;
    let operations = operations(&world).await;
    assert!(operations.len() > 50, "{}", operations.len());
    let mut ids = BTreeSet::new();
    for Operation { method, path, said } in &operations {
        let id = said["operationId"].as_str().unwrap_or_default();
        assert!(ids.insert(id), "{method} {path} has no id of its own: {id}");
        assert!(said["summary"].is_string() && said["tags"].is_array(), "{id}");
        let role = said["x-role"].as_str();
        let known = ["none", "local", "viewer", "operator", "admin"];
        assert!(role.is_some_and(|role| known.contains(&role)), "{id} has no x-role");
        let is_open = said["security"] == json!([]);
        assert_eq!(is_open, role == Some("none"), "{id}");
        let responses = said["responses"].as_object().unwrap();
        // What is followed by a WebSocket ends in 101.
        assert!(responses.keys().any(|status| status.starts_with(['1', '2'])), "{id}");
        assert!(!responses.contains_key("default"), "{id}");
        assert!(["401", "403", "500", "503"].iter().all(|s| responses.contains_key(*s)), "{id}");
        if *method != Method::GET {
            let is_acting = role == Some("operator") || role == Some("admin");
            assert!(is_acting || ["log_in", "log_out"].contains(&id), "{id} changes something");
        }
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_is_held_to_the_role_that_it_names() {
    let (world, tokens) = World::guarded().await;
    for Operation { method, path, said } in operations(&world).await {
        let needed = said["x-role"].as_str().unwrap();
        for asked_as in [None, Some(Role::Viewer), Some(Role::Operator), Some(Role::Admin)] {
            let url = format!("{}{}", world.url, filled(&path));
            let mut request = world.http.request(method.clone(), url);
            if said.get("requestBody").is_some() {
                request = request.json(&json!({}));
            }
            if let Some(role) = asked_as {
                request = request.bearer_auth(&tokens[&role]);
            }
            // Only the head: some answers never end.
            let status = request.send().await.unwrap().status().as_u16();
            let expected = match (Role::parse(needed), asked_as) {
                (Some(_), None) => Some(401),
                (Some(needed), Some(role)) if role < needed => Some(403),
                _ => None,
            };
            match expected {
                Some(expected) => {
                    assert_eq!(status, expected, "{method} {path} as {asked_as:?}");
                }
                None => assert!(
                    status != 401 && status != 403 && status != 500,
                    "{method} {path} as {asked_as:?}: {status}"
                ),
            }
        }
    }
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_body_is_closed_and_has_an_example() {
    let world = World::open().await;
    let document = world.get("/api/openapi.json").await.is(200).body;
    for Operation { said, .. } in operations(&world).await {
        let content = &said["requestBody"]["content"];
        let Some(content) = content.as_object() else { continue };
        for body in content.values() {
            let name = body["schema"]["$ref"].as_str().expect("bodies are components");
            let name = name.rsplit('/').next().unwrap();
            let schema = &document["components"]["schemas"][name];
            let examples = [&schema["example"], &schema["examples"]];
            assert!(examples.iter().any(|one| !one.is_null()), "{name} has no example");
            let is_closed = schema["additionalProperties"] == json!(false);
            assert!(is_closed || schema.get("oneOf").is_some(), "{name} takes unknown fields");
        }
    }
    world.end().await;
}

#[test]
fn every_code_has_its_meaning_and_remedy_in_the_documents() {
    let documented = include_str!("../../../../docs/api.md");
    for code in Code::ALL {
        let name = serde_json::to_value(code).unwrap();
        let row = format!("| `{}` | {} |", name.as_str().unwrap(), code.status().as_u16());
        assert!(documented.contains(&row), "{row} is not in docs/api.md");
    }
}
