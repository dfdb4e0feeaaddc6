//! Settings that cannot be: all problems at once, each with its name and value.

use serde_json::{Value, json};

use crate::workbench::build;

#[expect(clippy::needless_pass_by_value, reason = "cases read better without `&`")]
fn check(kind: &str, settings: Value, expected: &[&str]) {
    let problems = build(kind, settings.clone()).err().unwrap_or_default();
    assert_eq!(problems.len(), expected.len(), "{kind} {settings}: {problems:?}");
    for (problem, part) in problems.iter().zip(expected) {
        assert!(problem.contains(part), "{kind} {settings}: {problem}");
    }
}

#[test]
fn every_problem_is_told_with_its_name_and_value() {
    check("pass", json!({}), &[]);
    check("pass", json!({ "x": 1 }), &["unknown setting `x` (known: none)"]);
    check("exec", json!({}), &["setting `command` is absent"]);
    let command = "`command` must be a text that fits";
    check("exec", json!({ "command": [] }), &[command]);
    check("exec", json!({ "command": " " }), &[command]);
    check(
        "exec",
        json!({ "command": 7, "environment": { "A": 1 }, "shell": true }),
        &["not a number (7)", "`environment.A` must be a text, not", "unknown setting `shell`"],
    );
    check("files", json!({}), &["setting `folder` is absent"]);
    check(
        "files",
        json!({ "url": "s3://x" }),
        &["`url` must be a text that fits `^file://.`, not"],
    );
    check("files", json!({ "url": "file:///x", "folder": "x" }), &["leave one out"]);
    check(
        "files",
        json!({ "folder": "x", "patterns": ["[a"], "identity": "name", "recursive": 1,
                "polling_interval_seconds": 0 }),
        &[
            "`patterns[0]` must be a glob, not a text (\"[a\")",
            "must be true or false",
            "must be `stat` or `content`, not a text (\"name\")",
            "above 0",
        ],
    );
    check(
        "files.write",
        json!({ "name": "" }),
        &["`name` must be a template", "`folder` is absent"],
    );
    check("image.rectify", json!({}), &["setting `folder` is absent"]);
    check("remote", json!({ "url": "x" }), &["unknown setting `url` (known: none)"]);
    check("exec", json!({ "comand": "x" }), &["`command` is absent", "did you mean `command`?"]);
    check("fields.map", json!({}), &["one of `fields`, `rename` and `drop` must be said"]);
    check(
        "fields.map",
        json!({ "fields": { "a": "{", "b": ["{}"] } }),
        &["setting `fields.a` has a `{` without a `}`", "`fields.b[0]` has `{}` names no param"],
    );
    let replace = "takes params away: say `params: replace` beside it";
    check("fields.map", json!({ "drop": "a" }), &[replace]);
    check("fields.select", json!({ "keep": "a" }), &[replace]);
    check("fields.select", json!({}), &["either `keep` or `drop` must be said"]);
    check("aggregate", json!({ "from": "x", "give": {} }), &["must name at least one measure"]);
    check(
        "aggregate",
        json!({ "from": "x", "give": { "a": "total", "b": { "do": "sum", "off": "x" } } }),
        &["`give.a` must be", "unknown setting `give.b.off` (did you mean `of`?"],
    );
    check("text.chunk", json!({ "size": 5, "overlap": 5 }), &["`overlap` must be less than"]);
    check("language.detect", json!({ "among": "xx" }), &["`among` has `xx`, which is not known"]);
    check("image.telepathy", json!({}), &["unknown type `image.telepathy`"]);
}
