//! The feed of events: what happened to all jobs, in the order of writing.

use std::time::Duration;

use axum::extract::State;
use serde::Deserialize;
use tokio::time::{Instant, timeout_at};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::limits;
use crate::access::Viewer;
use crate::context::Context;
use crate::extract::Query;
use crate::problem::Problem;
use crate::wire::EventPage;

/// The routes of this resource.
pub fn routes() -> OpenApiRouter<Context> {
    OpenApiRouter::new().routes(routes!(list))
}

/// How long somebody may wait for events.
const WAIT_SECONDS_MAX: u32 = 30;
/// It is looked again after this long also where no signal comes: signals may be lost.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// It is not looked more often than this, however many signals come.
const REST: Duration = Duration::from_millis(50);

/// Which events are wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct WantedEvents {
    /// Only behind this place: the `next` of a page. Without it, nothing is given but the place
    /// where the feed stands now; 0 is its beginning.
    after: Option<u64>,
    /// At most this many.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// How long to wait while there is nothing; not at all unless given.
    #[param(minimum = 0, maximum = 30)]
    wait_seconds: Option<u32>,
}

/// Follow what happens
///
/// To all jobs, in the order of writing. Whoever reads on from `next` misses nothing and is given
/// nothing twice.
#[utoipa::path(
    get, path = "/events", tag = "events", operation_id = "list_events",
    extensions(("x-role" = json!("viewer"))), params(WantedEvents),
    responses((status = 200, body = EventPage), Problem)
)]
async fn list(
    State(context): State<Context>,
    _: Viewer,
    Query(wanted): Query<WantedEvents>,
) -> Result<axum::Json<EventPage>, Problem> {
    let limit = limits::page(wanted.limit)?;
    let seconds = wanted.wait_seconds.unwrap_or(0);
    let seconds = limits::between("wait_seconds", seconds, 0, WAIT_SECONDS_MAX)?;
    let until = Instant::now() + Duration::from_secs(seconds.into());
    let mut signals = context.backend().bus.subscribe();
    loop {
        let feed = context.backend().store.feed(wanted.after, limit).await?;
        let now = Instant::now();
        let is_over = now >= until || context.stopping().is_cancelled();
        if !feed.events.is_empty() || wanted.after.is_none() || is_over {
            return Ok(axum::Json(feed.into()));
        }
        tokio::select! {
            _ = timeout_at(until.min(now + LOOK_AGAIN), signals.next()) => {}
            () = context.stopping().cancelled() => continue,
        }
        tokio::time::sleep_until(until.min(now + REST)).await;
    }
}
