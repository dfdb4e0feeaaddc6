//! What each stage run changed of a job's params, as far as that is known.
//!
//! Stores keep the params as they stand now, and events what each run gave. Walking from the first
//! run on, every param that no run gives has been there from the beginning, as it is now; one that
//! a run gives was, before the first time, whatever it was.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use waystation_core::Params;
use waystation_core::pipeline::ParamsMode;

/// What a stage run gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// The params.
    pub fields: Params,
    /// Whether they are all that is left.
    pub mode: ParamsMode,
}

/// What a param was before a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Before {
    /// This.
    Known(Value),
    /// It was there as it was submitted, or it was not there.
    Unknown,
}

/// What a run changed of a param.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The param.
    pub name: String,
    /// What it was.
    pub before: Before,
    /// What it was then; none when it was gone.
    pub after: Option<Value>,
}

/// What a run changed, and how many params that are known it left as they were.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// What it changed.
    pub list: Vec<Change>,
    /// How many it left.
    pub left: usize,
}

/// What each run changed, in the order of the runs.
pub fn changes(now: &Params, outputs: &[Output]) -> Vec<Changes> {
    let given: BTreeSet<&String> = outputs.iter().flat_map(|output| output.fields.keys()).collect();
    let first = now.iter().filter(|(name, _)| !given.contains(name));
    let mut known: BTreeMap<String, Value> =
        first.map(|(name, value)| (name.clone(), value.clone())).collect();
    outputs.iter().map(|output| apply(&mut known, output)).collect()
}

fn apply(known: &mut BTreeMap<String, Value>, output: &Output) -> Changes {
    let mut list = Vec::new();
    if output.mode == ParamsMode::Replace {
        let gone = known.iter().filter(|(name, _)| !output.fields.contains_key(*name));
        list.extend(gone.map(|(name, value)| Change {
            name: name.clone(),
            before: Before::Known(value.clone()),
            after: None,
        }));
        known.retain(|name, _| output.fields.contains_key(name));
    }
    let mut touched = 0;
    for (name, value) in &output.fields {
        let before = known.insert(name.clone(), value.clone());
        if before.as_ref() == Some(value) {
            continue;
        }
        touched += 1;
        let before = before.map_or(Before::Unknown, Before::Known);
        list.push(Change { name: name.clone(), before, after: Some(value.clone()) });
    }
    Changes { list, left: known.len() - touched }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn params(value: Value) -> Params {
        serde_json::from_value(value).expect("an object")
    }

    fn merged(value: Value) -> Output {
        Output { fields: params(value), mode: ParamsMode::Merge }
    }

    #[test]
    fn each_run_is_held_against_what_was_before_it() {
        let now = params(json!({"path": "a.jpg", "score": 2, "page": "p.png"}));
        let outputs = [merged(json!({"score": 1})), merged(json!({"score": 2, "page": "p.png"}))];
        let told = changes(&now, &outputs);
        let score =
            |before, after| Change { name: "score".into(), before, after: Some(json!(after)) };
        assert_eq!(told[0].list, [score(Before::Unknown, 1)]);
        assert_eq!(told[1].list[0], score(Before::Known(json!(1)), 2));
        assert_eq!(told[1].list[1].before, Before::Unknown);
        assert_eq!((told[0].left, told[1].left), (1, 1), "the path stays as it is");
    }

    #[test]
    fn what_replaces_the_rest_takes_it_away() {
        let output = Output { fields: params(json!({"c": 3})), mode: ParamsMode::Replace };
        let told = changes(&params(json!({"c": 3})), &[merged(json!({"a": 1})), output]);
        let names: Vec<_> =
            told[1].list.iter().map(|one| (&*one.name, one.after.is_some())).collect();
        assert_eq!(names, [("a", false), ("c", true)]);
        assert_eq!(told[1].left, 0);
    }

    #[test]
    fn what_stays_the_same_is_no_change() {
        let told =
            changes(&params(json!({"a": 1})), &[merged(json!({"a": 1})), merged(json!({"a": 1}))]);
        assert_eq!((told[0].list.len(), told[1].list.len(), told[1].left), (1, 0, 1));
    }
}
