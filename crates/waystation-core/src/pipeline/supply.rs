//! Which params a stage can count on, as far as the stages before it say what they give.

use std::collections::{BTreeMap, BTreeSet};

use super::fan_out::Over;
use super::model::{ParamsMode, Pipeline, Stage, Target};
use super::{Catalog, StageKind};
use crate::id::StageId;

/// A param that a stage requires and no stage before it gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lack {
    /// The stage.
    pub stage: StageId,
    /// The param.
    pub param: String,
    /// Whether jobs can bring it when they are submitted. They cannot where a stage in between
    /// replaces the params on every way.
    pub can_be_brought: bool,
}

/// What is known of the params with which jobs come to a stage.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Supply {
    /// Some stage before does not say what it gives.
    anything: bool,
    /// What those give that say it.
    given: BTreeSet<String>,
    /// Whether what was submitted may still be there.
    carried: bool,
}

impl Supply {
    /// Adds another way to come here; true when that is news.
    fn merge(&mut self, other: &Self) -> bool {
        let before = self.clone();
        self.anything |= other.anything;
        self.carried |= other.carried;
        self.given.extend(other.given.iter().cloned());
        *self != before
    }
}

impl Pipeline {
    /// The params that stages require, by their `required_params`, and that no stage before them
    /// gives. A stage that does not say what it gives may give anything.
    pub fn lacks(&self, catalog: &dyn Catalog) -> Vec<Lack> {
        let supplies = self.supplies(catalog);
        let mut lacks = Vec::new();
        for stage in &self.stages {
            let Some(supply) = supplies.get(&stage.id).filter(|supply| !supply.anything) else {
                continue;
            };
            let missing = stage.required_params.iter().filter(|name| !supply.given.contains(*name));
            lacks.extend(missing.map(|param| Lack {
                stage: stage.id.clone(),
                param: param.clone(),
                can_be_brought: supply.carried,
            }));
        }
        lacks
    }

    /// What jobs come with to each stage that they can come to.
    fn supplies(&self, catalog: &dyn Catalog) -> BTreeMap<StageId, Supply> {
        let mut supplies: BTreeMap<StageId, Supply> = BTreeMap::new();
        let mut open = Vec::new();
        for root in self.roots() {
            supplies.insert(root.id.clone(), Supply { carried: true, ..Supply::default() });
            open.push(root.id.clone());
        }
        // Supplies only grow, so that this ends also where jobs go round.
        while let Some(id) = open.pop() {
            let (Some(stage), Some(before)) = (self.stage(&id), supplies.get(&id)) else {
                continue;
            };
            let after = after(stage, before, catalog);
            for (next, arriving) in self.arrivals(&id, &after) {
                let known = supplies.contains_key(&next);
                if supplies.entry(next.clone()).or_default().merge(&arriving) || !known {
                    open.push(next);
                }
            }
        }
        supplies
    }

    /// Where jobs come to from a stage, and with what.
    fn arrivals(&self, from: &StageId, after: &Supply) -> Vec<(StageId, Supply)> {
        let mut arrivals = Vec::new();
        for route in self.routes_from(from) {
            let mut child = after.clone();
            if let Target::FanOut(fan_out) = &route.to {
                let mut parent = after.clone();
                if let Over::Items { list, item, .. } = &fan_out.over {
                    parent.given.remove(list);
                    child.given.remove(list);
                    child.given.insert(item.clone());
                }
                if let Ok(Some(join)) = self.join_of(fan_out) {
                    arrivals.push((join, parent));
                }
            }
            arrivals.extend(route.to.stages().map(|stage| (stage.clone(), child.clone())));
        }
        for (stage, supply) in &mut arrivals {
            let join = self.stage(stage).and_then(|stage| stage.join.as_ref());
            let collected = join.into_iter().flat_map(|join| &join.collect);
            supply.given.extend(collected.map(|(name, _)| name.clone()));
        }
        arrivals
    }
}

/// What jobs have after a stage.
fn after(stage: &Stage, before: &Supply, catalog: &dyn Catalog) -> Supply {
    let mut after = match stage.params {
        ParamsMode::Merge => before.clone(),
        ParamsMode::Replace => Supply::default(),
    };
    if catalog.kind(&stage.kind) == Some(StageKind::Manual) {
        after.given.extend(stage.form.fields.iter().map(|field| field.name.clone()));
        return after;
    }
    match &stage.output_params {
        Some(names) => after.given.extend(names.iter().cloned()),
        None => after.anything = true,
    }
    after
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::load::tests::Fake;

    /// Stages as `id: requires > gives`, in a chain; `!` before what is given replaces the params.
    fn chain(stages: &[&str]) -> Pipeline {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let stage = |text: &&str| {
            let (id, rest) = text.split_once(':').expect("a name");
            let (requires, gives) = rest.split_once('>').expect("both sides");
            let mut stage = Stage::new(id, "exec");
            stage.required_params = words(requires);
            if gives.contains('!') {
                stage.params = ParamsMode::Replace;
            }
            let gives = gives.replace('!', "");
            stage.output_params = (gives.trim() != "?").then(|| words(&gives));
            stage
        };
        Pipeline::chain("p", stages.iter().map(stage).collect())
    }

    fn told(pipeline: &Pipeline) -> Vec<String> {
        let tell = |lack: Lack| {
            let brought = if lack.can_be_brought { "brought" } else { "lost" };
            format!("{}.{} {brought}", lack.stage, lack.param)
        };
        pipeline.lacks(&Fake).into_iter().map(tell).collect()
    }

    #[test]
    fn what_no_stage_gives_must_be_brought() {
        let cases = [
            (
                &["a: image > page", "b: page image > text"][..],
                &["a.image brought", "b.image brought"][..],
            ),
            (&["a: > ?", "b: page > text"], &[]),
            (&["a: > ! page", "b: page image > text"], &["b.image lost"]),
            (&["a: > page", "b: > ! text", "c: page text > x"], &["c.page lost"]),
        ];
        for (stages, expected) in cases {
            assert_eq!(told(&chain(stages)), expected, "{stages:?}");
        }
    }

    #[test]
    fn families_give_their_items_and_what_joins_collect() {
        let mut pipeline =
            chain(&["cut: > tiles", "work: tile > stars", "sum: counts tiles > total"]);
        pipeline.stages[2].join = Some(crate::pipeline::Join {
            collect: vec![("counts".into(), "stars".into())],
            ..crate::pipeline::Join::default()
        });
        let over = Over::Items { to: "work".into(), list: "tiles".into(), item: "tile".into() };
        pipeline.routes[0].to = Target::FanOut(crate::pipeline::FanOut { over, join: None });
        assert_eq!(told(&pipeline), ["sum.tiles brought"], "the list does not stay with the job");
    }
}
