//! Which stages a job passes between two others.

use std::collections::HashSet;

use super::model::{Pipeline, Target};
use crate::id::StageId;

impl Pipeline {
    /// Every stage that a job can come to from this one. It is among them only where it lies on a
    /// circle.
    pub fn reached_from<'a>(&'a self, stage: &'a StageId) -> HashSet<&'a StageId> {
        let mut open = vec![stage];
        let mut reached = HashSet::new();
        while let Some(from) = open.pop() {
            for route in self.routes_from(from) {
                open.extend(route.to.stages().filter(|to| reached.insert(*to)));
            }
        }
        reached
    }

    /// Every stage that a job which begins at this one can come to itself, this one among them.
    /// Where it is fanned out, that is the join.
    pub fn goes_itself<'a>(&'a self, stage: &'a StageId) -> HashSet<&'a StageId> {
        let mut open = vec![stage];
        let mut reached = HashSet::from([stage]);
        while let Some(from) = open.pop() {
            for route in self.routes_from(from) {
                let next: Vec<&StageId> = match &route.to {
                    Target::FanOut(_) => self.join_after(route).into_iter().collect(),
                    target => target.stages().collect(),
                };
                open.extend(next.into_iter().filter(|to| reached.insert(*to)));
            }
        }
        reached
    }

    /// Whether a job that is at this stage can come to it again: the stage lies on a circle.
    pub fn is_on_circle(&self, stage: &StageId) -> bool {
        self.reached_from(stage).contains(stage)
    }

    /// Whether a stage lies before another one: it leads there, and no way leads back.
    pub fn is_before(&self, stage: &StageId, other: &StageId) -> bool {
        stage != other
            && self.reached_from(stage).contains(other)
            && !self.reached_from(other).contains(stage)
    }

    /// The stages before this one, in the order that they were declared.
    pub fn before<'a>(&'a self, stage: &'a StageId) -> impl Iterator<Item = &'a StageId> {
        let ids = self.stages.iter().map(|stage| &stage.id);
        ids.filter(move |id| self.is_before(id, stage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Route, Stage};

    fn before(pipeline: &Pipeline, stage: &str) -> Vec<String> {
        pipeline.before(&stage.into()).map(ToString::to_string).collect()
    }

    #[test]
    fn stages_before_another_one_lead_there_and_not_back() {
        let stages = ["a", "b", "c", "d"].map(|name| Stage::new(name, "x"));
        let mut pipeline = Pipeline::chain("p", stages.to_vec());
        assert_eq!(before(&pipeline, "c"), ["a", "b"]);
        assert_eq!(before(&pipeline, "a"), Vec::<String>::new());
        pipeline.routes.push(Route::new("c", "b"));
        assert_eq!(before(&pipeline, "c"), ["a"], "a job comes back to b");
        assert!(pipeline.is_on_circle(&"b".into()) && !pipeline.is_on_circle(&"a".into()));
        assert_eq!(before(&pipeline, "d"), ["a", "b", "c"]);
    }
}
