//! Where a job goes when a stage ends. Pure: the decision is a value.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fan_out::{FanOut, Over};
use super::model::{Pipeline, Route, Target};
use crate::Params;
use crate::condition;
use crate::contract::Contract;
use crate::id::{Label, StageId};

/// The way that a job takes out of a stage.
#[derive(Clone, Copy, Debug)]
pub struct Way<'a> {
    /// The route that it takes. None out of a last stage.
    pub route: Option<&'a Route>,
    /// Where it goes.
    pub to: Onward<'a>,
}

/// Where a job goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward<'a> {
    /// To this stage.
    To(&'a StageId),
    /// To several at once.
    FanOut(&'a FanOut),
    /// Nowhere: it is complete.
    Done,
}

/// What is known of a job when its way is chosen.
#[derive(Clone, Copy, Debug)]
pub struct Traveller<'a> {
    /// The stage after which it ends early.
    pub exit_stage: Option<&'a StageId>,
    /// Its params.
    pub params: &'a Params,
    /// How often it took the routes with a bound. See [`Route::loop_key`].
    pub loops: &'a BTreeMap<String, u32>,
}

/// A job that took no route with a bound yet.
static NO_LOOPS: BTreeMap<String, u32> = BTreeMap::new();

impl<'a> Traveller<'a> {
    /// A new job with these params, which goes to its pipeline's end.
    pub fn new(params: &'a Params) -> Self {
        Self { exit_stage: None, params, loops: &NO_LOOPS }
    }
}

impl<'a> From<&'a Contract> for Traveller<'a> {
    fn from(contract: &'a Contract) -> Self {
        let Contract { exit_stage, params, loops, .. } = contract;
        Self { exit_stage: exit_stage.as_ref(), params, loops }
    }
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
    /// The first route out of `stage` that takes this job: its label, its condition, the type of
    /// its state, and so often. A stage that no route leads out of is the last one. Conditions see
    /// the params.
    pub fn onward<'a>(
        &'a self,
        stage: &StageId,
        label: &Label,
        job: Traveller<'_>,
    ) -> Result<Way<'a>, NoRoute> {
        let done = Way { route: None, to: Onward::Done };
        if job.exit_stage == Some(stage) {
            return Ok(done);
        }
        let mut tried = Vec::new();
        for route in self.routes.iter().filter(|route| route.from == *stage) {
            if self.takes(route, label, job)? {
                return Ok(Way { route: Some(route), to: Onward::of(&route.to) });
            }
            tried.push(route.describe());
        }
        if tried.is_empty() && *label == Label::ok() {
            return Ok(done);
        }
        let routes = if tried.is_empty() { "none".to_owned() } else { tried.join("; ") };
        Err(NoRoute::Unmatched { stage: stage.clone(), label: label.clone(), routes })
    }

    fn takes(&self, route: &Route, label: &Label, job: Traveller<'_>) -> Result<bool, NoRoute> {
        let takes_label = match &route.on {
            Some(on) => on == label,
            None => label.as_str() != "ko",
        };
        let left = route
            .at_most
            .is_none_or(|most| job.loops.get(&route.loop_key()).is_none_or(|taken| *taken < most));
        if !takes_label || !left || !self.is_of_type(route, job.params) {
            return Ok(false);
        }
        let Some(condition) = &route.when else { return Ok(true) };
        let stage = &route.from;
        condition
            .holds(job.params)
            .map_err(|source| NoRoute::Condition { stage: stage.clone(), source })
    }

    fn is_of_type(&self, route: &Route, params: &Params) -> bool {
        let tag = params.get(&self.type_param).and_then(Value::as_str);
        route.on_type.is_empty() || tag.is_some_and(|tag| route.on_type.iter().any(|of| of == tag))
    }
}

impl<'a> Onward<'a> {
    fn of(target: &'a Target) -> Self {
        match target {
            Target::Stage(stage) => Self::To(stage),
            Target::Done => Self::Done,
            Target::FanOut(fan_out) => Self::FanOut(fan_out),
        }
    }
}

impl Route {
    /// What a contract counts the route under, where it may be taken a number of times only.
    pub fn loop_key(&self) -> String {
        let to: Vec<_> = self.to.stages().map(StageId::as_str).collect();
        format!("{}>{}{}", self.from, to.join("+"), self.conditions())
    }

    /// The route's condition in words, for messages and graphs.
    pub fn describe(&self) -> String {
        format!("to {}{}", self.to.describe(), self.conditions())
    }

    /// What it asks for, in words: each with a space before it.
    pub fn conditions(&self) -> String {
        let on = self.on.as_ref().map(|label| format!(" on {label}"));
        let types = self.on_type.join(" or ");
        let on_type = (!types.is_empty()).then(|| format!(" for {types}"));
        let when = self.when.as_ref().map(|c| format!(" when {}", c.source()));
        let at_most = self.at_most.map(|most| format!(" at most {most} times"));
        [on, on_type, when, at_most].into_iter().flatten().collect()
    }
}

impl Target {
    /// The target in words.
    pub fn describe(&self) -> String {
        match self {
            Self::Stage(id) => id.to_string(),
            Self::Done => Self::DONE.to_owned(),
            Self::FanOut(fan_out) => match &fan_out.over {
                Over::Branches(stages) => {
                    stages.iter().map(StageId::as_str).collect::<Vec<_>>().join(" and ")
                }
                Over::Items { to, list, .. } => format!("{to} for each of {list}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Stage;
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

    fn goes(pipeline: &Pipeline, params: &Value, taken: u32) -> Result<String, NoRoute> {
        let loops = BTreeMap::from([("check>improve at most 2 times".to_owned(), taken)]);
        let params = params.as_object().expect("an object");
        let job = Traveller { exit_stage: None, params, loops: &loops };
        let way = pipeline.onward(&"check".into(), &Label::ok(), job)?;
        Ok(way.route.map_or_else(String::new, Route::describe))
    }

    #[test]
    fn route_with_a_bound_is_taken_so_often_and_then_the_next_one() {
        let stages = ["improve", "check", "ask"].map(|name| Stage::new(name, "pass"));
        let mut pipeline = Pipeline::new("p", stages.to_vec());
        let bound = Route { at_most: Some(2), ..Route::new("check", "improve") };
        pipeline.routes = vec![bound, Route::new("check", "ask")];
        let goes = |taken| goes(&pipeline, &json!({}), taken).expect("a route");
        assert_eq!(goes(0), "to improve at most 2 times");
        assert_eq!(goes(1), "to improve at most 2 times");
        assert_eq!(goes(2), "to ask");
    }

    #[test]
    fn routes_by_type_are_tried_in_their_order_and_must_match() {
        let stages = ["check", "a", "b"].map(|name| Stage::new(name, "pass"));
        let mut pipeline = Pipeline::new("p", stages.to_vec());
        let of = |to: &str, types: &[&str]| Route {
            on_type: types.iter().map(ToString::to_string).collect(),
            ..Route::new("check", to)
        };
        pipeline.routes = vec![of("a", &["Input"]), of("b", &["Input", "Corrected"])];
        let goes = |params: Value| goes(&pipeline, &params, 0);
        assert_eq!(goes(json!({"type": "Input"})).expect("a route"), "to a for Input");
        let second = "to b for Input or Corrected";
        assert_eq!(goes(json!({"type": "Corrected"})).expect("a route"), second);
        for params in [json!({"type": "Output"}), json!({}), json!({"type": 7})] {
            assert!(matches!(goes(params), Err(NoRoute::Unmatched { .. })));
        }
    }

    #[test]
    fn first_matching_route_is_taken() {
        let cases = [
            ("rectify", None, "ok", json!({}), Ok(Some("validate"))),
            ("rectify", None, "ko", json!({}), Ok(Some("correct"))),
            ("rectify", Some("rectify"), "ko", json!({}), Ok(None)),
            ("validate", None, "ok", json!({"ok": true}), Ok(Some("write"))),
            ("validate", None, "ok", json!({"ok": false}), Ok(Some("correct"))),
            ("validate", None, "ok", json!({}), Err("no route leads on from stage `validate`")),
            ("correct", None, "ok", json!({}), Ok(Some("write"))),
            ("correct", None, "ko", json!({}), Err("for outcome `ko`")),
            ("write", None, "ok", json!({}), Ok(None)),
            ("write", None, "ko", json!({}), Err("(routes out of it: none)")),
        ];
        let pipeline = scans();
        for (stage, exit, label, params, expected) in cases {
            let exit = exit.map(StageId::from);
            let params = params.as_object().expect("an object");
            let loops = BTreeMap::new();
            let job = Traveller { exit_stage: exit.as_ref(), params, loops: &loops };
            let got = pipeline.onward(&stage.into(), &Label::from(label), job).map(|way| way.to);
            match (got, expected) {
                (Ok(Onward::To(got)), Ok(Some(expected))) => assert_eq!(got.as_str(), expected),
                (Ok(Onward::Done), Ok(None)) => {}
                (Err(got), Err(part)) => assert!(got.to_string().contains(part), "{got}"),
                (got, expected) => panic!("{stage} {label}: {got:?}, not {expected:?}"),
            }
        }
    }
}
