//! Which values of an output travel as references, their payload lying apart as blobs.
//!
//! A reference that the engine made is `{"$blob": KEY, "bytes": N, "offloaded": true}`: the blob
//! is the value as JSON, and whoever reads the param gets the value in its place. A foreign stage
//! sees the reference.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};
use waystation_core::Params;
use waystation_core::blob::BlobKey;
use waystation_core::contract::Contract;
use waystation_core::handler::Completion;
use waystation_core::pipeline::{FanOut, Over, ParamsMode, Pipeline, Problem, Stage, Target};

/// The share of the largest contract that one value may fill by itself: an eighth, 32 KiB of
/// 256 KiB.
const SHARE: usize = 8;
/// Smaller values stay where they are: a reference is not much shorter.
const BYTES_MIN: usize = 1_024;

/// A value that is to lie apart.
#[derive(Debug, PartialEq)]
pub struct Apart {
    /// The param that holds it.
    pub name: String,
    /// Where it is to lie.
    pub key: BlobKey,
    /// The value as JSON.
    pub bytes: Vec<u8>,
}

/// Chooses what of an output is to lie apart: every value that fills more than its share of a
/// contract, then the largest ones until the contract fits. Params that a route reads stay.
pub fn choose(
    pipeline: &Pipeline,
    stage: &Stage,
    contract: &Contract,
    completion: &Completion,
    bytes_max: usize,
) -> Vec<Apart> {
    let read = read_by_routes(pipeline);
    let movable = completion
        .output
        .iter()
        .filter(|(name, value)| !read.contains(name.as_str()) && key_of(value).is_none());
    let mut candidates: Vec<Apart> = movable
        .filter_map(|(name, value)| {
            let bytes = serde_json::to_vec(value).ok().filter(|json| json.len() >= BYTES_MIN)?;
            // A param whose name makes no key stays.
            let key = BlobKey::of_param(&contract.job_id, &stage.id, contract.visit, name).ok()?;
            Some(Apart { name: name.clone(), key, bytes })
        })
        .collect();
    candidates.sort_by_key(|one| std::cmp::Reverse(one.bytes.len()));
    let mut size = size_after(stage, contract, completion);
    let chosen = candidates.into_iter().take_while(|one| {
        let wanted = one.bytes.len() > bytes_max / SHARE || size > bytes_max;
        let saved = one.bytes.len().saturating_sub(reference(one).to_string().len());
        size = size.saturating_sub(saved);
        wanted
    });
    chosen.collect()
}

/// Puts references where the values were.
pub fn refer(completion: &mut Completion, apart: &[Apart]) {
    for one in apart {
        completion.output.insert(one.name.clone(), reference(one));
    }
}

/// Where a value belongs that lies apart: it is a param, or stands in the list that a param is, as
/// a join collects them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The param.
    pub name: String,
    /// Its place in the list.
    pub index: Option<usize>,
}

impl Place {
    /// Puts the value where it belongs.
    pub fn put(&self, params: &mut Params, value: Value) {
        let param = params.get_mut(&self.name);
        let slot = match self.index {
            None => param,
            Some(index) => param.and_then(|list| list.get_mut(index)),
        };
        if let Some(slot) = slot {
            *slot = value;
        }
    }
}

/// The values that lie apart: where they belong, and where they are.
pub fn offloaded(params: &Params) -> Vec<(Place, BlobKey)> {
    let mut found = Vec::new();
    for (name, value) in params {
        let place = |index| Place { name: name.clone(), index };
        found.extend(key_of(value).map(|key| (place(None), key)));
        let items = value.as_array().into_iter().flatten().enumerate();
        found.extend(items.filter_map(|(at, item)| Some((place(Some(at)), key_of(item)?))));
    }
    found
}

/// A param whose value lies apart: its reference, and what tells its value from others.
pub struct Known {
    name: String,
    reference: Value,
    hash: u64,
}

/// The params of a contract that lie apart, with what they are in the whole.
pub fn known(params: &Params, whole: &Params) -> Vec<Known> {
    let apart = params.iter().filter(|(_, value)| key_of(value).is_some());
    let known = apart.filter_map(|(name, reference)| {
        let hash = hash_of(whole.get(name)?);
        Some(Known { name: name.clone(), reference: reference.clone(), hash })
    });
    known.collect()
}

/// Puts the old reference where a handler gives back what lay apart as it was, so that it is not
/// put apart a second time, and branches that leave it alone do not contradict each other.
pub fn recognise(completion: &mut Completion, known: &[Known]) {
    for Known { name, reference, hash } in known {
        if let Some(value) = completion.output.get_mut(name)
            && hash_of(value) == *hash
        {
            *value = reference.clone();
        }
    }
}

/// Within one attempt only: it need not be the same in another program.
fn hash_of(value: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.to_string().hash(&mut hasher);
    hasher.finish()
}

/// The problems of a pipeline that wants to offload where blobs have no place.
pub fn homeless(pipeline: &Pipeline) -> Vec<Problem> {
    let wanting = pipeline.stages.iter().filter(|stage| stage.offload);
    let problem = |stage: &Stage| {
        let message = format!("stage `{}` offloads values, but blobs have no place", stage.id);
        Problem::new(message).hint("`--blobs file://FOLDER`, $WAYSTATION_BLOBS or `App::blobs`")
    };
    wanting.map(problem).collect()
}

/// Where a value lies that the engine took out of the params.
fn key_of(value: &Value) -> Option<BlobKey> {
    let offloaded = value.get("offloaded").and_then(Value::as_bool) == Some(true);
    let key = value.get("$blob").filter(|_| offloaded)?.as_str()?;
    BlobKey::parse(key).ok()
}

fn reference(apart: &Apart) -> Value {
    json!({ "$blob": apart.key, "bytes": apart.bytes.len(), "offloaded": true })
}

/// What conditions, types, fan-outs and keys look at.
fn read_by_routes(pipeline: &Pipeline) -> HashSet<String> {
    let mut read = HashSet::from([pipeline.type_param.clone()]);
    for route in &pipeline.routes {
        read.extend(route.when.iter().flat_map(waystation_core::condition::Condition::variables));
        if let Target::FanOut(FanOut { over: Over::Items { list, .. }, .. }) = &route.to {
            read.insert(list.clone());
        }
    }
    let keys = pipeline.stages.iter().filter_map(|stage| stage.key.as_ref());
    read.extend(keys.flat_map(|key| key.by.variables()));
    read
}

/// How large the contract would be with the whole output in it.
fn size_after(stage: &Stage, contract: &Contract, completion: &Completion) -> usize {
    let mut after = contract.clone();
    match stage.params {
        ParamsMode::Merge => after.params.extend(completion.output.clone()),
        ParamsMode::Replace => after.params.clone_from(&completion.output),
    }
    after.to_bytes().len()
}

#[cfg(test)]
mod tests {
    use waystation_core::condition::Condition;
    use waystation_core::pipeline::Route;

    use super::*;

    const BYTES_MAX: usize = 64 * 1_024;

    fn chosen(pipeline: &Pipeline, sizes: &[(&str, usize)]) -> Vec<String> {
        let text = |size: usize| Value::from("x".repeat(size));
        let output = sizes.iter().map(|(name, size)| ((*name).to_owned(), text(*size)));
        let completion = Completion::ok(output.collect());
        let contract = Contract::new("j".into(), Params::new());
        let apart = choose(pipeline, &pipeline.stages[0], &contract, &completion, BYTES_MAX);
        apart.into_iter().map(|one| one.name).collect()
    }

    fn one_stage() -> Pipeline {
        Pipeline::chain("p", vec![Stage::new("scan", "x")])
    }

    #[test]
    fn values_above_their_share_move() {
        let sizes = [("small", 100), ("large", 9_000), ("larger", 10_000), ("fits", 8_000)];
        assert_eq!(chosen(&one_stage(), &sizes), ["larger", "large"]);
        assert!(chosen(&one_stage(), &[("a", 100)]).is_empty());
    }

    #[test]
    fn the_largest_move_until_the_contract_fits() {
        let names: Vec<_> = (0..10).map(|number| format!("v{number}")).collect();
        let sizes: Vec<_> = names.iter().map(|name| (name.as_str(), 8_000)).collect();
        let moved = chosen(&one_stage(), &sizes);
        assert_eq!(moved.len(), 2, "80,000 bytes less two of 8,000 fit into 65,536");
        let tiny: Vec<_> = names.iter().map(|name| (name.as_str(), 900)).collect();
        assert!(chosen(&one_stage(), &tiny).is_empty());
    }

    #[test]
    fn what_a_condition_reads_stays() {
        let mut pipeline = one_stage();
        let when = Condition::parse("size(lines) > 3").expect("a condition");
        pipeline.routes.push(Route { when: Some(when), ..Route::new("scan", "scan") });
        assert_eq!(chosen(&pipeline, &[("lines", 20_000), ("words", 20_000)]), ["words"]);
    }

    #[test]
    fn what_a_handler_leaves_alone_keeps_its_reference() {
        let key = BlobKey::parse("jobs/j/scan/1/$params/a").expect("a key");
        let apart = Apart { name: "a".into(), key, bytes: vec![b'1'; 9_000] };
        let params = Params::from_iter([("a".to_owned(), reference(&apart))]);
        let whole = Params::from_iter([("a".to_owned(), json!("long"))]);
        let known = known(&params, &whole);
        for (given, expected) in [("long", reference(&apart)), ("other", json!("other"))] {
            let output = Params::from_iter([("a".to_owned(), json!(given))]);
            let mut completion = Completion::ok(output);
            recognise(&mut completion, &known);
            assert_eq!(completion.output["a"], expected);
        }
    }

    #[test]
    fn references_are_known_again_and_not_moved_twice() {
        let key = BlobKey::parse("jobs/j/scan/1/$params/a").expect("a key");
        let apart = Apart { name: "a".into(), key: key.clone(), bytes: vec![b'1'; 9_000] };
        let mut completion = Completion::ok(Params::new());
        refer(&mut completion, &[apart]);
        let by_hand = json!({ "$blob": "jobs/j/scan/1/b", "bytes": 3 });
        completion.output.insert("b".into(), by_hand);
        let list = json!([7, completion.output["a"].clone()]);
        completion.output.insert("all".into(), list);
        let found = offloaded(&completion.output);
        let place = |name: &str, index| Place { name: name.to_owned(), index };
        assert_eq!(found, [(place("a", None), key.clone()), (place("all", Some(1)), key)]);
        for (place, _) in found {
            place.put(&mut completion.output, json!("back"));
        }
        assert_eq!(completion.output["all"], json!([7, "back"]));
    }
}
