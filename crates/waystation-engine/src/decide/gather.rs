//! What a job takes from its children when they have come together.

use std::collections::HashMap;

use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::contract::{Contract, Gathered};
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::id::{JobId, StageId};
use waystation_core::job::ChildRecord;
use waystation_core::pipeline::{Gathering, Join, OnFailure, Rest};
use waystation_core::settlement::Tally;
use waystation_core::state::JobState;

/// The param that tells of failed children where a join collects them, too.
const FAILURES: &str = "failures";

/// Goes through the children of a job, in the order of their positions.
pub struct Gatherer<'a> {
    join: &'a Join,
    gathered: Gathered,
    stage: &'a StageId,
    params: &'a Params,
    tally: Tally,
    seen: u32,
    first_failure: Option<String>,
    /// Those that have not ended.
    open: Vec<JobId>,
    collected: Vec<Vec<Value>>,
    failures: Vec<Value>,
    /// What branches gave, and which of them.
    merged: HashMap<String, (JobId, Value)>,
    conflict: Option<Failure>,
    /// How many bytes may still be taken from children.
    room: usize,
}

/// What comes of them.
#[derive(Debug, PartialEq)]
pub enum Together {
    /// The job goes on with these params. These children are not waited for, and are to be aborted.
    Complete(Params, Vec<JobId>),
    /// Not all are there that must be.
    Open(String),
    /// The job fails.
    Failed(Failure),
}

impl<'a> Gatherer<'a> {
    /// For a job with these params at this join. `bytes_max` is the largest contract that the queue
    /// takes.
    pub fn new(
        join: &'a Join,
        stage: &'a StageId,
        gathered: Gathered,
        params: &'a Params,
        bytes_max: usize,
    ) -> Self {
        Self {
            join,
            gathered,
            stage,
            params,
            tally: Tally::default(),
            seen: 0,
            first_failure: None,
            open: Vec::new(),
            collected: vec![Vec::new(); join.collect.len()],
            failures: Vec::new(),
            merged: HashMap::new(),
            conflict: None,
            room: bytes_max,
        }
    }

    /// The next child.
    pub fn add(&mut self, child: &ChildRecord) {
        self.seen += 1;
        let Some(Tally { completed, failed }) = Tally::of(child.state) else {
            self.open.push(child.job_id.clone());
            return;
        };
        self.tally.completed += completed;
        self.tally.failed += failed;
        if failed > 0 {
            self.note_failure(child);
        } else {
            self.take(child);
        }
    }

    /// What comes of all of them.
    pub fn finish(mut self) -> Together {
        // A child that is not there could not be made: its id was another job's.
        let missing = self.gathered.children.saturating_sub(self.seen);
        self.tally.failed += missing;
        if missing > 0 {
            let message = format!("{missing} of them could not be made, their ids are taken");
            self.first_failure.get_or_insert(message);
        }
        let Tally { completed, failed } = self.tally;
        let of = self.gathered.children;
        match self.join.gathering(of, self.tally) {
            Gathering::Complete => self.complete(),
            Gathering::Open => Together::Open(format!(
                "{completed} of {of} children completed, {failed} failed, {} go on",
                self.open.len()
            )),
            Gathering::Failed => {
                let first = self.first_failure.unwrap_or_default();
                let message = format!(
                    "{failed} of the {of} children that stage `{}` waits for failed: {first}",
                    self.stage
                );
                Together::Failed(Failure::new(ErrorKind::Child, message))
            }
        }
    }

    fn complete(mut self) -> Together {
        if let Some(conflict) = self.conflict {
            return Together::Failed(conflict);
        }
        let mut params = self.params.clone();
        params.extend(self.merged.drain().map(|(name, (_, value))| (name, value)));
        let collected = self.join.collect.iter().zip(self.collected);
        params.extend(collected.map(|((name, _), values)| (name.clone(), Value::Array(values))));
        if self.join.on_failure == OnFailure::Collect {
            params.insert(FAILURES.to_owned(), Value::Array(self.failures));
        }
        let rest = if self.join.rest == Rest::Abort { self.open } else { Vec::new() };
        Together::Complete(params, rest)
    }

    fn note_failure(&mut self, child: &ChildRecord) {
        let ChildRecord { job_id, position, stage, state, failure, .. } = child;
        let why = failure.as_ref().map_or_else(|| state.to_string(), ToString::to_string);
        if self.first_failure.is_none() {
            self.first_failure = Some(format!("child {job_id} at stage `{stage}`: {why}"));
        }
        if self.join.on_failure == OnFailure::Collect {
            // Its place in the lists is kept.
            self.collected.iter_mut().for_each(|values| values.push(Value::Null));
            let failure = json!({ "job_id": job_id, "position": position, "stage": stage,
                "state": state.as_str(), "error": why });
            self.failures.push(failure);
        }
    }

    /// What a child gave that completed. A body that is no contract gives nothing.
    fn take(&mut self, child: &ChildRecord) {
        debug_assert!(matches!(child.state, JobState::Completed | JobState::Skipped));
        let mut params = Contract::parse(&child.body).map(|one| one.params).unwrap_or_default();
        if self.gathered.merge {
            self.merge(&child.job_id, &params);
        }
        for place in 0..self.join.collect.len() {
            let (_, param) = &self.join.collect[place];
            let value = params.get_mut(param).map_or(Value::Null, Value::take);
            if self.has_room(&value) {
                self.collected[place].push(value);
            }
        }
    }

    /// Whether a value may still be taken. No more is held than a contract could.
    fn has_room(&mut self, value: &Value) -> bool {
        let bytes = serde_json::to_vec(value).map_or(0, |json| json.len());
        if let Some(room) = self.room.checked_sub(bytes) {
            self.room = room;
            return true;
        }
        let message = format!(
            "the children of stage `{}` give more than a contract can hold (hint: let them put \
             payloads into blobs, or collect less)",
            self.stage
        );
        self.conflict.get_or_insert_with(|| Failure::new(ErrorKind::Contract, message));
        false
    }

    /// Takes what a branch has otherwise than the job had it when it was fanned out.
    fn merge(&mut self, child: &JobId, params: &Params) {
        let changed: Vec<_> =
            params.iter().filter(|(name, value)| self.params.get(*name) != Some(*value)).collect();
        for (name, value) in changed {
            let Some((other, theirs)) = self.merged.get(name) else {
                if self.has_room(value) {
                    self.merged.insert(name.clone(), (child.clone(), value.clone()));
                }
                continue;
            };
            if theirs != value {
                let message = format!(
                    "children {other} and {child} of stage `{}` both give param `{name}`, and \
                     not the same (hint: let each branch give params of its own)",
                    self.stage
                );
                let conflict = Failure::new(ErrorKind::Contract, message);
                self.conflict.get_or_insert(conflict);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use waystation_core::pipeline::Wait;

    use super::*;

    fn child(position: u32, state: JobState, params: &Value) -> ChildRecord {
        let job_id = JobId::new(format!("a.1-{position}"));
        let params = params.as_object().expect("an object").clone();
        let failed = matches!(state, JobState::Failed);
        ChildRecord {
            job_id: job_id.clone(),
            position,
            state,
            stage: "work".into(),
            failure: failed.then(|| Failure::new(ErrorKind::NotFound, "no such tile")),
            body: Contract::new(job_id, params).to_bytes(),
        }
    }

    fn gather(join: &Join, merge: bool, children: &[ChildRecord]) -> Together {
        let number = children.len() as u32;
        let gathered = Gathered { visit: 1, children: number, merge };
        let params = json!({"image": "x"});
        let stage = "count".into();
        let mut gatherer =
            Gatherer::new(join, &stage, gathered, params.as_object().expect("an object"), 1_000);
        for child in children {
            gatherer.add(child);
        }
        gatherer.finish()
    }

    fn complete(params: &Value) -> Together {
        Together::Complete(params.as_object().expect("an object").clone(), Vec::new())
    }

    #[test]
    fn lists_keep_the_order_of_the_children() {
        let join = Join { collect: vec![("stars".into(), "found".into())], ..Join::default() };
        let children = [
            child(0, JobState::Completed, &json!({"image": "x", "found": 3})),
            child(1, JobState::Skipped, &json!({"image": "x"})),
            child(2, JobState::Completed, &json!({"image": "x", "found": 5})),
        ];
        let got = gather(&join, false, &children);
        assert_eq!(got, complete(&json!({"image": "x", "stars": [3, null, 5]})));
    }

    #[test]
    fn branches_give_what_they_changed_and_must_not_contradict_each_other() {
        let mut children = [
            child(0, JobState::Completed, &json!({"image": "x", "text": "t"})),
            child(1, JobState::Completed, &json!({"image": "x", "thumbnail": "s"})),
        ];
        let got = gather(&Join::default(), true, &children);
        assert_eq!(got, complete(&json!({"image": "x", "text": "t", "thumbnail": "s"})));
        children[1] = child(1, JobState::Completed, &json!({"image": "x", "text": "u"}));
        let Together::Failed(failure) = gather(&Join::default(), true, &children) else {
            panic!("they contradict each other");
        };
        assert!(failure.message.contains("both give param `text`"), "{failure}");
    }

    #[test]
    fn no_more_is_taken_than_a_contract_holds() {
        let join = Join { collect: vec![("all".into(), "text".into())], ..Join::default() };
        let text = "x".repeat(400);
        let children = [0, 1, 2]
            .map(|position| child(position, JobState::Completed, &json!({ "text": text })));
        let Together::Failed(failure) = gather(&join, false, &children) else {
            panic!("1,200 bytes do not fit into 1,000");
        };
        assert!(failure.message.contains("give more than a contract can hold"), "{failure}");
        assert!(matches!(gather(&join, false, &children[..2]), Together::Complete(..)));
    }

    #[test]
    fn failed_children_are_named_or_brought_along() {
        let children = [
            child(0, JobState::Completed, &json!({"found": 3})),
            child(1, JobState::Failed, &json!({})),
            child(2, JobState::Queued, &json!({})),
        ];
        let Together::Failed(failure) = gather(&Join::default(), false, &children) else {
            panic!("one failed");
        };
        assert_eq!(
            failure.to_string(),
            "child: 1 of the 3 children that stage `count` waits for failed: child a.1-1 at stage \
             `work`: not_found: no such tile"
        );
        let join = Join {
            wait: Wait::AtLeast(2),
            on_failure: OnFailure::Collect,
            collect: vec![("stars".into(), "found".into())],
            ..Join::default()
        };
        let Together::Complete(params, rest) = gather(&join, false, &children) else {
            panic!("two came");
        };
        assert_eq!(rest, [JobId::from("a.1-2")], "nobody waits for it any longer");
        assert_eq!(params["stars"], json!([3, null]));
        assert_eq!(params["failures"][0]["error"], "not_found: no such tile");
        let ignoring = Join { on_failure: OnFailure::Ignore, ..Join::default() };
        let open = "1 of 3 children completed, 1 failed, 1 go on".to_owned();
        assert_eq!(gather(&ignoring, false, &children), Together::Open(open));
    }
}
