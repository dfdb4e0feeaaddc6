//! The routes: a WebSocket, and server-sent events for where a proxy lets none through.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use tokio::time::{MissedTickBehavior, interval, timeout};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::stream::{Gone, Stream};
use super::topic::Wanted;
use crate::access::Viewer;
use crate::context::Context;
use crate::extract::Query;
use crate::problem::{Code, Problem};

/// How often a connection that is silent is asked whether it still stands.
const PING_EVERY: Duration = Duration::from_secs(20);
/// How long a frame may take to be written.
const WRITE_TIME_MAX: Duration = Duration::from_secs(10);
/// The largest frame that is read. Followers have nothing to say.
const FRAME_BYTES_MAX: usize = 1_024;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(live_sse))
}

/// Follow a job, a pipeline or everything over a WebSocket
///
/// Each text frame is a message as described in docs/live.md: a snapshot first, then what comes,
/// each with a cursor to go on from. Close code 1013 says that the follower was too slow.
#[utoipa::path(
    get, path = "/live", tag = "live", operation_id = "follow", params(Wanted),
    extensions(("x-role" = json!("viewer"))),
    responses((status = 101, description = "Messages follow"), Problem)
)]
async fn live(
    State(context): State<Context>,
    _: Viewer,
    Query(wanted): Query<Wanted>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    let unread = |why: WebSocketUpgradeRejection| Problem::new(Code::BadRequest, why.body_text());
    let upgrade = upgrade.map_err(unread)?;
    let stream = Stream::open(&context, wanted.topic()?, wanted.cursor()?).await?;
    let upgrade = upgrade.max_message_size(FRAME_BYTES_MAX).max_frame_size(FRAME_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| follow(socket, stream)))
}

/// Follow a job, a pipeline or everything by server-sent events
///
/// The same messages as over the WebSocket, each with its cursor as its id, which a browser gives
/// back as `Last-Event-ID` when it connects again.
#[utoipa::path(
    get, path = "/live/sse", tag = "live", operation_id = "follow_events",
    extensions(("x-role" = json!("viewer"))),
    params(Wanted, ("Last-Event-ID" = Option<String>, Header, description = "Where to go on")),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"), Problem
    )
)]
async fn live_sse(
    State(context): State<Context>,
    _: Viewer,
    headers: HeaderMap,
    Query(mut wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    wanted.cursor = last.map(str::to_owned).or(wanted.cursor);
    let stream = Stream::open(&context, wanted.topic()?, wanted.cursor()?).await?;
    let events = futures_util::stream::unfold(Some(stream), |stream| async move {
        let mut stream = stream?;
        let event = match stream.next().await {
            Ok(sent) => sse::Event::default().id(sent.cursor.to_string()).data(&*sent.text),
            Err(gone) => {
                let event = sse::Event::default().event("gone").data(gone.reason());
                return Some((Ok::<_, Infallible>(event), None));
            }
        };
        Some((Ok(event), Some(stream)))
    });
    let unbuffered = [("x-accel-buffering", "no"), ("cache-control", "no-store")];
    Ok((unbuffered, Sse::new(events).keep_alive(KeepAlive::default())).into_response())
}

/// Sends what comes until the follower leaves or is let go.
async fn follow(mut socket: WebSocket, mut stream: Stream) {
    let mut pings = interval(PING_EVERY);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    loop {
        let frame = tokio::select! {
            sent = stream.next() => match sent {
                Ok(sent) => Message::Text(Utf8Bytes::from(&*sent.text)),
                Err(gone) => return close(socket, gone).await,
            },
            _ = pings.tick() => Message::Ping(Vec::new().into()),
            read = socket.recv() => match read {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        match timeout(WRITE_TIME_MAX, socket.send(frame)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => return close(socket, Gone::Slow).await,
        }
    }
}

async fn close(mut socket: WebSocket, gone: Gone) {
    let frame = CloseFrame { code: gone.code(), reason: Utf8Bytes::from_static(gone.reason()) };
    // Whoever does not read it is gone all the same.
    let _ = timeout(WRITE_TIME_MAX, socket.send(Message::Close(Some(frame)))).await;
}
