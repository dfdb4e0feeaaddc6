//! One job becomes several: branches that run side by side, or a child for each item of a list.
//! ContentFlow's `parallel` edges are branches; its `for_each_content` is a list's children.

use std::collections::HashMap;

use super::model::{Pipeline, Route, Target};
use crate::id::StageId;

/// Where the children of a job go, and where it waits for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FanOut {
    /// Which children there are.
    pub over: Over,
    /// Where they come together, where the file says it. See [`Pipeline::join_of`].
    pub join: Option<StageId>,
}

/// Which children a fan-out makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// One for each of these stages, with the params of the job.
    Branches(Vec<StageId>),
    /// One for each item of a list, all of them to the same stage.
    Items {
        /// Where the children start.
        to: StageId,
        /// The param that holds the list. It does not stay with the job.
        list: String,
        /// The param of each child that holds its item.
        item: String,
    },
}

/// Why it cannot be told where children come together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoJoin {
    /// They come to different joins, or only some of them to one.
    Ambiguous(Vec<StageId>),
}

/// The most children of one fan-out.
pub const CHILDREN_MAX: usize = 10_000;
/// What the contracts of the children of one fan-out may hold together, in bytes. With what a
/// journal tells of each child besides, they fit into one message of every broker (16 MiB).
pub const CHILDREN_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How deep children of children may go.
pub const DEPTH_MAX: usize = 8;

impl FanOut {
    /// The name of a child's item in its params, unless the route says otherwise.
    pub const ITEM: &str = "item";

    /// The stages that the children start at.
    pub fn stages(&self) -> std::slice::Iter<'_, StageId> {
        match &self.over {
            Over::Branches(stages) => stages.iter(),
            Over::Items { to, .. } => std::slice::from_ref(to).iter(),
        }
    }
}

impl Pipeline {
    /// Where the children of a fan-out come together: where the route says, or else at the one
    /// join that all of them come to first. `None` when none of them comes to any: then they are
    /// jobs of their own, and the one that made them is complete.
    pub fn join_of(&self, fan_out: &FanOut) -> Result<Option<StageId>, NoJoin> {
        Inference { pipeline: self, known: HashMap::new() }.join_of(fan_out)
    }

    /// Where the job that takes this route goes itself, when the route makes children that come
    /// together again.
    pub fn join_after(&self, route: &Route) -> Option<&StageId> {
        let Target::FanOut(fan_out) = &route.to else { return None };
        let join = self.join_of(fan_out).ok().flatten()?;
        self.stage(&join).map(|stage| &stage.id)
    }

    /// The fan-outs whose children come together at this stage.
    pub fn gathered_at<'a>(&'a self, join: &'a StageId) -> impl Iterator<Item = &'a Route> {
        self.routes.iter().filter(move |route| match &route.to {
            Target::FanOut(fan_out) => {
                self.join_of(fan_out).is_ok_and(|found| found.as_ref() == Some(join))
            }
            _ => false,
        })
    }
}

/// Looks for joins. What was found of a fan-out is remembered, and one that is being looked at is
/// taken for one without a join: it would lead back to itself.
struct Inference<'a> {
    pipeline: &'a Pipeline,
    known: HashMap<*const FanOut, Result<Option<StageId>, NoJoin>>,
}

impl Inference<'_> {
    fn join_of(&mut self, fan_out: &FanOut) -> Result<Option<StageId>, NoJoin> {
        if let Some(join) = &fan_out.join {
            return Ok(Some(join.clone()));
        }
        let key = std::ptr::from_ref(fan_out);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        self.known.insert(key, Ok(None));
        let mut joins: Vec<Option<StageId>> = Vec::new();
        for stage in fan_out.stages() {
            let first = self.first_joins(stage);
            if first.is_empty() {
                joins.push(None);
            }
            joins.extend(first.into_iter().map(Some));
        }
        joins.sort();
        joins.dedup();
        let found = match joins.len() {
            0 => Ok(None),
            1 => Ok(joins.pop().flatten()),
            _ => Err(NoJoin::Ambiguous(joins.into_iter().flatten().collect())),
        };
        self.known.insert(key, found.clone());
        found
    }

    /// The joins that a child comes to first. One that makes children of its own comes, after they
    /// have come together, to where that join leads.
    fn first_joins(&mut self, start: &StageId) -> Vec<StageId> {
        let mut open = vec![start.clone()];
        let mut seen = open.clone();
        let mut joins = Vec::new();
        while let Some(at) = open.pop() {
            if self.pipeline.stage(&at).is_some_and(|stage| stage.join.is_some()) {
                joins.push(at);
                continue;
            }
            for stage in self.own_way(&at) {
                if !seen.contains(&stage) {
                    seen.push(stage.clone());
                    open.push(stage);
                }
            }
        }
        joins
    }

    /// Where a job itself goes from a stage, past the joins of its own children.
    fn own_way(&mut self, from: &StageId) -> Vec<StageId> {
        let mut way = Vec::new();
        let mut open = vec![from.clone()];
        let mut passed = open.clone();
        while let Some(at) = open.pop() {
            let pipeline = self.pipeline;
            for route in pipeline.routes.iter().filter(|route| route.from == at) {
                match &route.to {
                    Target::FanOut(inner) => {
                        let join = self.join_of(inner).ok().flatten();
                        if let Some(join) = join.filter(|join| !passed.contains(join)) {
                            passed.push(join.clone());
                            open.push(join);
                        }
                    }
                    target => way.extend(target.stages().cloned()),
                }
            }
        }
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Join, Stage};

    /// `a` fans out to `b` and `c`, which come together at `d`; `e` follows.
    fn diamond() -> Pipeline {
        let stages = ["a", "b", "c", "d", "e"].map(|name| Stage::new(name, "x"));
        let mut pipeline = Pipeline::new("p", stages.to_vec());
        pipeline.stages[3].join = Some(Join::default());
        let branches = FanOut { over: Over::Branches(vec!["b".into(), "c".into()]), join: None };
        pipeline.routes = vec![
            Route::to("a", Target::FanOut(branches)),
            Route::new("b", "d"),
            Route::new("c", "d"),
            Route::new("d", "e"),
        ];
        pipeline
    }

    fn join_of(pipeline: &Pipeline) -> Result<Option<StageId>, NoJoin> {
        match &pipeline.routes[0].to {
            Target::FanOut(fan_out) => pipeline.join_of(fan_out),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_join_that_all_children_come_to_first_is_meant() {
        let mut pipeline = diamond();
        assert_eq!(join_of(&pipeline), Ok(Some("d".into())));
        assert_eq!(pipeline.gathered_at(&"d".into()).count(), 1);
        pipeline.stages[3].join = None;
        assert_eq!(join_of(&pipeline), Ok(None), "jobs of their own");
        pipeline.stages[3].join = Some(Join::default());
        pipeline.stages[4].join = Some(Join::default());
        assert_eq!(join_of(&pipeline), Ok(Some("d".into())), "the first one");
        let inner = FanOut { over: Over::Branches(vec!["c".into()]), join: None };
        pipeline.stages.push(Stage::new("f", "x"));
        pipeline.stages[3].id = "inner".into();
        pipeline.routes = vec![
            Route::to(
                "a",
                Target::FanOut(FanOut { over: Over::Branches(vec!["b".into()]), join: None }),
            ),
            Route::to("b", Target::FanOut(inner)),
            Route::new("c", "inner"),
            Route::new("inner", "e"),
        ];
        assert_eq!(join_of(&pipeline), Ok(Some("e".into())), "not that of the children's children");
    }

    #[test]
    fn different_joins_are_ambiguous() {
        let mut pipeline = diamond();
        pipeline.stages[4].join = Some(Join::default());
        pipeline.routes[2] = Route::new("c", "e");
        let several = NoJoin::Ambiguous(vec!["d".into(), "e".into()]);
        assert_eq!(join_of(&pipeline), Err(several));
    }
}
