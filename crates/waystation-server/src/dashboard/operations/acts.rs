//! Beginning and cancelling operations.

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde_json::json;
use waystation_engine::control::operations::{Error, Kind, Request, Selection};

use crate::audit::Detail;
use crate::context::Context;
use crate::dashboard::jobs::filter::Filter;
use crate::dashboard::refused::Refused;
use crate::dashboard::visit::Actor;
use crate::dashboard::{flash, href};
use crate::extract::Path;
use crate::problem::{Code, Problem};

/// What is to be done, by its name in forms.
pub fn kind(act: &str, reason: &str) -> Result<Kind, Problem> {
    match act {
        "abort" => Ok(Kind::Abort { reason: reason.to_owned() }),
        "retry" => Ok(Kind::Retry { from: None }),
        "drop" => Ok(Kind::DropDead),
        _ => Err(Problem::new(Code::Invalid, format!("nothing is done by `{act}`"))),
    }
}

/// Begins one.
pub async fn start(
    State(context): State<Context>,
    Actor(visit): Actor,
    Form(pairs): Form<Vec<(String, String)>>,
) -> Result<(Detail, Response), Refused> {
    let field = |wanted: &str| {
        let found = pairs.iter().find(|(name, _)| name == wanted);
        found.map_or("", |(_, value)| value.trim())
    };
    let (act, reason) = (field("act"), field("reason"));
    let filter = Filter::read(&pairs);
    let request = Request {
        kind: kind(act, reason)?,
        selection: Selection::from(&filter.to_store()?),
        by: visit.identity.name.clone(),
        reason: reason.to_owned(),
    };
    let selection = json!(request.selection);
    let detail = |id: &str| Detail(json!({ "operation": id, "act": act, "jobs": selection }));
    match context.client().start_operation(request).await {
        Ok(operation) => {
            let to = format!("/operations/{}", href::encode(&operation.id));
            Ok((detail(&operation.id), flash::done(&to, "the operation has begun")))
        }
        Err(Error::Store(error)) => Err(error.into()),
        Err(error) => Ok((detail(""), flash::failed(&filter.address(None), error.to_string()))),
    }
}

/// Cancels one.
pub async fn cancel(
    State(context): State<Context>,
    Path(id): Path<String>,
    Actor(_): Actor,
) -> Result<Response, Refused> {
    let back = format!("/operations/{}", href::encode(&id));
    match context.client().cancel_operation(&id).await {
        Ok(_) => Ok(flash::done(&back, "the operation is cancelled; what it did stays done")),
        Err(Error::Store(error)) => Err(error.into()),
        Err(error) => Ok(flash::failed(&back, error.to_string())),
    }
}
