//! Where a job goes when a stage ends. Pure: the decision is a value.

use super::model::{Pipeline, Target};
use crate::Params;
use crate::condition;
use crate::id::{Label, StageId};

/// Where a job goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Onward {
    /// To this stage.
    To(StageId),
    /// Nowhere: it is complete.
    Done,
}

/// Why a job cannot be routed.
#[derive(Debug, thiserror::Error)]
pub enum NoRoute {
    /// There are routes, but none for this outcome.
    #[error(
        "no route leads on from stage `{stage}` for outcome `{label}` with these params \
         (routes out of it: {routes})"
    )]
    Unmatched {
        /// The stage that ended.
        stage: StageId,
        /// With this label.
        label: Label,
        /// What was tried.
        routes: String,
    },
    /// A condition has no answer over these params.
    #[error("route from stage `{stage}`: {source}")]
    Condition {
        /// The stage that ended.
        stage: StageId,
        /// The condition's error.
        source: condition::Error,
    },
}

impl Pipeline {
    /// The first route out of `stage` that takes this label and whose condition holds. A stage
    /// that no route leads out of is the last one. Conditions see the label as `outcome`.
    pub fn onward(
        &self,
        stage: &StageId,
        exit_stage: Option<&StageId>,
        label: &Label,
        params: &Params,
    ) -> Result<Onward, NoRoute> {
        if exit_stage == Some(stage) {
            return Ok(Onward::Done);
        }
        let mut tried = Vec::new();
        for route in self.routes_from(stage) {
            let takes_label = match &route.on {
                Some(on) => on == label,
                None => label.as_str() != "ko",
            };
            let holds = match &route.when {
                Some(condition) if takes_label => condition
                    .holds(params)
                    .map_err(|source| NoRoute::Condition { stage: stage.clone(), source })?,
                _ => true,
            };
            if takes_label && holds {
                return Ok(match &route.to {
                    Target::Stage(id) => Onward::To(id.clone()),
                    Target::Done => Onward::Done,
                });
            }
            tried.push(route.describe());
        }
        if tried.is_empty() && *label == Label::ok() {
            return Ok(Onward::Done);
        }
        let routes = if tried.is_empty() { "none".to_owned() } else { tried.join("; ") };
        Err(NoRoute::Unmatched { stage: stage.clone(), label: label.clone(), routes })
    }
}

impl super::Route {
    /// The route's condition in words, for messages and graphs.
    pub fn describe(&self) -> String {
        let to = match &self.to {
            Target::Stage(id) => id.as_str(),
            Target::Done => Target::DONE,
        };
        let on = self.on.as_ref().map(|label| format!(" on {label}")).unwrap_or_default();
        let when = self.when.as_ref().map(|c| format!(" when {}", c.source()));
        format!("to {to}{on}{}", when.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Route, Stage};
    use super::*;
    use crate::condition::Condition;
    use serde_json::json;

    fn scans() -> Pipeline {
        let mut pipeline = Pipeline::chain(
            "scans",
            ["rectify", "validate", "correct", "write"]
                .map(|name| Stage::new(name, "pass"))
                .to_vec(),
        );
        let route = |from: &str, to: &str, on: Option<&str>, when: Option<&str>| Route {
            on: on.map(Label::from),
            when: when.map(|source| Condition::parse(source).expect(source)),
            ..Route::new(from, to)
        };
        pipeline.routes = vec![
            route("rectify", "validate", Some("ok"), None),
            route("rectify", "correct", Some("ko"), None),
            route("validate", "write", None, Some("ok == true")),
            route("validate", "correct", None, Some("ok == false")),
            route("correct", "write", None, None),
        ];
        pipeline
    }

    #[test]
    fn first_matching_route_is_taken() {
        let cases = [
            ("rectify", None, "ok", json!({}), Ok(Onward::To("validate".into()))),
            ("rectify", None, "ko", json!({}), Ok(Onward::To("correct".into()))),
            ("rectify", Some("rectify"), "ko", json!({}), Ok(Onward::Done)),
            ("validate", None, "ok", json!({"ok": true}), Ok(Onward::To("write".into()))),
            ("validate", None, "ok", json!({"ok": false}), Ok(Onward::To("correct".into()))),
            ("validate", None, "ok", json!({}), Err("no route leads on from stage `validate`")),
            ("correct", None, "ok", json!({}), Ok(Onward::To("write".into()))),
            ("correct", None, "ko", json!({}), Err("for outcome `ko`")),
            ("write", None, "ok", json!({}), Ok(Onward::Done)),
            ("write", None, "ko", json!({}), Err("(routes out of it: none)")),
        ];
        let pipeline = scans();
        for (stage, exit, label, params, expected) in cases {
            let exit = exit.map(StageId::from);
            let params = params.as_object().expect("an object");
            let got = pipeline.onward(&stage.into(), exit.as_ref(), &Label::from(label), params);
            match (got, expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{stage} {label}"),
                (Err(got), Err(part)) => assert!(got.to_string().contains(part), "{got}"),
                (got, expected) => panic!("{stage} {label}: {got:?}, not {expected:?}"),
            }
        }
    }
}
