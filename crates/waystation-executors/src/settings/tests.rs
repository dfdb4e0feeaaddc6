//! Settings that fit and such that do not.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::*;

/// How something is to be done.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sample {
    /// Where to.
    #[schemars(length(min = 1))]
    target: String,
    /// Which.
    #[serde(default)]
    patterns: Option<Texts>,
    /// How often.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 9), extend("x-aliases" = ["times"]))]
    count: u8,
    /// In what way.
    #[serde(default)]
    way: Way,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    inner: Option<Inner>,
}

#[derive(Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Way {
    /// Without haste.
    #[default]
    Slow,
    /// With haste.
    Fast,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Inner {
    wait_seconds: Seconds,
}

fn three() -> u8 {
    3
}

fn sample(settings: Value) -> Result<Sample, Vec<String>> {
    let Value::Object(settings) = settings else { panic!("an object") };
    read(&settings)
}

#[test]
fn what_is_not_said_is_at_its_default() {
    let read = sample(json!({ "target": "a", "patterns": null, "times": 4 })).expect("good");
    assert_eq!((read.count, read.way, read.patterns.is_none()), (4, Way::Slow, true));
    let read = sample(json!({ "target": "a", "patterns": "x", "inner": { "wait_seconds": 0.5 } }));
    let read = read.expect("good");
    assert_eq!((read.count, read.patterns.expect("one").0), (3, vec!["x".to_owned()]));
    assert_eq!(read.inner.map(|inner| inner.wait_seconds), Some(Seconds(0.5)));
    assert!(read.labels.is_empty() && read.target == "a");
}

#[test]
fn every_problem_is_told_at_once_in_the_order_of_the_settings() {
    let settings = json!({
        "count": 12, "patterns": [1], "way": "sideways", "labels": { "a": true },
        "inner": { "wait_seconds": 0, "wait": 1 }, "traget": "x"
    });
    assert_eq!(
        sample(settings).expect_err("bad"),
        [
            "setting `patterns[0]` must be a text that is not empty, not a number (1)",
            "setting `count` must be a whole number from 1 to 9, not a number (12)",
            "setting `way` must be `slow` or `fast`, not a text (\"sideways\")",
            "setting `labels.a` must be a text, not a boolean (true)",
            "setting `inner.wait_seconds` must be a number above 0, not a number (0)",
            "unknown setting `inner.wait` (known: wait_seconds)",
            "setting `target` is absent",
            "unknown setting `traget` (did you mean `target`? known: target, patterns, count, way, \
             labels, inner)",
        ]
    );
    let twice = sample(json!({ "target": "a", "count": 1, "times": 2 })).expect_err("twice");
    assert_eq!(twice, ["setting `count` is said twice, once by another of its names"]);
}

#[test]
fn schemas_say_what_the_struct_says() {
    let schema = schema_of::<Sample>();
    assert_eq!(schema["properties"]["count"]["default"], 3);
    assert_eq!(schema["properties"]["target"]["description"], "Where to.");
    assert_eq!(schema["properties"]["inner"]["type"], "object");
    assert_eq!(schema["required"], json!(["target"]));
}

#[test]
fn settings_are_told_in_words() {
    let settings = super::told(&schema_of::<Sample>());
    let told: Vec<_> = settings.iter().map(|one| (one.name.as_str(), one.shape.as_str())).collect();
    assert_eq!(
        told,
        [
            ("target", "a text that is not empty"),
            ("patterns", "a text that is not empty or a list of texts"),
            ("count", "a whole number from 1 to 9"),
            ("way", "`slow` or `fast`"),
            ("labels", "an object of texts"),
            ("inner", "an object"),
        ]
    );
    assert!(settings[0].required && settings[2].aliases == ["times"]);
    assert_eq!(settings[3].description, "In what way. `slow`: Without haste. `fast`: With haste.");
}
