//! Points over HTTP: `POST /datapoints` takes a list, and `GET /entities/TYPE/ID` tells of one.

use std::sync::Arc;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::chain::Updates;
use crate::entities::Entities;
use crate::point::Point;

/// The most points of one request.
const POINTS_MAX: usize = 10_000;
/// How many problems an answer names.
const PROBLEMS_MAX: usize = 20;

/// What the routes work on.
#[derive(Clone)]
pub struct Api {
    /// Takes updates.
    pub updates: Arc<Updates>,
    /// Tells of entities.
    pub entities: Arc<Entities>,
}

type Answer = (StatusCode, Json<Value>);

/// The routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/", get(async || Json(json!({ "detail": "It works!" }))))
        .route("/datapoints", post(put))
        .route("/entities/{kind}/{id}", get(show))
        .with_state(api)
}

/// Any point that is none keeps all of them out: whoever sends them again sends each once.
async fn put(State(api): State<Api>, body: Result<Json<Vec<Value>>, JsonRejection>) -> Answer {
    let values = match body {
        Ok(Json(values)) => values,
        Err(rejection) => return refuse(rejection.status(), &json!([rejection.body_text()])),
    };
    if values.len() > POINTS_MAX {
        let message = format!("{} points are more than the {POINTS_MAX} allowed", values.len());
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, &json!([message]));
    }
    let (mut points, mut problems) = (Vec::with_capacity(values.len()), Vec::new());
    for (place, value) in values.into_iter().enumerate() {
        match read(value) {
            Ok(point) => points.push(point),
            Err(problem) => problems.push(format!("point {place}: {problem}")),
        }
    }
    if !problems.is_empty() {
        problems.truncate(PROBLEMS_MAX);
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, &json!(problems));
    }
    match api.updates.put(points).await {
        Ok(taken) => (StatusCode::OK, Json(json!({ "detail": "OK", "updates": taken.len() }))),
        Err(error) => refuse(StatusCode::SERVICE_UNAVAILABLE, &json!([error.to_string()])),
    }
}

/// A point, or what is wrong with it.
pub fn read(value: Value) -> Result<Point, String> {
    let point: Point = serde_json::from_value(value).map_err(|error| error.to_string())?;
    point.problem().map_or(Ok(point), Err)
}

async fn show(State(api): State<Api>, Path((kind, id)): Path<(String, String)>) -> Answer {
    let entity = format!("{kind}:{id}");
    let told = tokio::task::spawn_blocking(move || {
        let attributes: serde_json::Map<_, _> =
            api.entities.attributes(&entity)?.into_iter().collect();
        Ok::<_, rusqlite::Error>((entity.clone(), attributes, api.entities.history(&entity)?))
    });
    match told.await {
        Ok(Ok((entity, attributes, _))) if attributes.is_empty() => {
            refuse(StatusCode::NOT_FOUND, &json!([format!("nothing is known of {entity}")]))
        }
        Ok(Ok((entity, attributes, history))) => {
            let told = json!({ "entity": entity, "attributes": attributes, "history": history });
            (StatusCode::OK, Json(told))
        }
        Ok(Err(error)) => refuse(StatusCode::SERVICE_UNAVAILABLE, &json!([error.to_string()])),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &json!([error.to_string()])),
    }
}

fn refuse(status: StatusCode, detail: &Value) -> Answer {
    (status, Json(json!({ "detail": detail })))
}
