//! Files that are wrong, and every problem that is told of them.

use std::fmt::Write as _;

use super::load;
use crate::pipeline::Problems;

fn refused(text: &str) -> Problems {
    match load(text) {
        Ok(_) => panic!("nothing is wrong with\n{text}"),
        Err(problems) => problems,
    }
}

/// Holds the problems against the expected ones: each begins as expected, in this order.
fn check(text: &str, expected: &[&str]) {
    let problems = refused(text);
    let lines: Vec<_> = problems.list.iter().map(ToString::to_string).collect();
    let same = lines.len() == expected.len()
        && lines.iter().zip(expected).all(|(line, start)| line.starts_with(start));
    assert!(same, "{text}\ngave:\n  {}", lines.join("\n  "));
}

fn check_stage(stage: &str, expected: &[&str]) {
    check(&format!("name: p\nstages:\n- {stage}"), expected);
}

#[test]
fn documents_that_hold_no_pipeline() {
    let deep = format!("name: {}1{}", "[".repeat(70), "]".repeat(70));
    let bomb = (1..12).fold("a0: &a0 [x, x, x, x, x, x, x, x]\n".to_owned(), |mut text, n| {
        let item = format!("*a{}", n - 1);
        let items = [item.as_str(); 8].join(", ");
        writeln!(text, "a{n}: &a{n} [{items}]").expect("a text");
        text
    });
    let cases = [
        ("", &["1:1: the file holds no pipeline"][..]),
        ("# nothing", &["1:1: the file holds no pipeline"]),
        ("- a", &["1:1: the file must hold a mapping, not a list"]),
        ("pipeline: x", &["1:11: the pipeline must be a mapping, not the text \"x\""]),
        ("a: [1,\nb", &["2:1: no valid YAML: "]),
        ("a: b: c", &["1:5: no valid YAML: mapping values are not allowed"]),
        ("a: *x", &["1:4: no valid YAML: while parsing node, found unknown anchor"]),
        ("a: &x [*x]", &["1:8: an alias stands within the value that it repeats"]),
        ("a: 1\n---\nb: 1", &["2:1: a second document begins here"]),
        (&deep, &["1:70: lists and mappings are nested deeper than 64"]),
        (&bomb, &["6:15: anchors and aliases hold more than 4194304 bytes in all"]),
        (
            "pipelines: [{name: a}, {name: b}]",
            &["1:1: `pipelines`: a file holds one pipeline (hint: give each"],
        ),
    ];
    for (text, expected) in cases {
        check(text, expected);
    }
    let long = format!("name: {}", "x".repeat(1024 * 1024));
    check(&long, &["1:1: the file has 1048582 bytes, more than the 1048576"]);
}

#[test]
fn keys_and_values_of_the_pipeline() {
    let cases = [
        ("{}", &["1:1: the pipeline has no `name`", "1:1: the pipeline has no stages"][..]),
        (
            "name:\nstages: []",
            &["1:1: the pipeline has no `name`", "2:9: the pipeline has no stages"],
        ),
        (
            "name: 5\nstages: {}",
            &[
                "1:7: `name` of the pipeline must be a text, not 5 (hint: put it in quotes)",
                "2:9: `stages` of the pipeline must be a list, not a mapping",
            ],
        ),
        (
            "name: My docs.v2\nstages: [{id: a.b, type: exec}]",
            &[
                "1:7: the pipeline's name `My docs.v2` may only hold letters from a to z, \
                 digits, `_` and `-` (hint: for example `My_docs_v2`)",
                "2:15: the stage name `a.b` may only hold",
            ],
        ),
        (
            "pipeline: {name: p, stages: [{id: a, type: exec}], stage: 1}\nother: 1",
            &[
                "1:52: unknown key `stage` of the pipeline (hint: did you mean `stages`?)",
                "2:1: unknown key `other` of the file (hint: known keys: pipeline)",
            ],
        ),
    ];
    for (text, expected) in cases {
        check(text, expected);
    }
}

#[test]
fn what_stands_twice_or_beside_its_other_name() {
    let cases: [(&str, &[&str]); _] = [
        (
            "name: p\nname: q\nstages: [{id: a, type: exec, id: b}]\n<<: x\n[a]: 1\n: 2",
            &[
                "2:1: the key `name` stood already at 1:1",
                "3:30: the key `id` stood already at 3:11",
                "4:1: merge keys (`<<`) are not supported",
                "5:1: a key must be a text, not a list",
                "6:1: a key is empty",
            ],
        ),
        (
            "name: p\nstages: [{id: a, type: exec}]\nexecutors: [{id: b, type: exec}]\n\
             routes: [{from: a, to: done}]\nedges: []\nexecution_sequence: [a]",
            &[
                "3:12: `executors` is another name of `stages`, the pipeline has both",
                "5:8: `edges` is another name of `routes`, the pipeline has both",
                "6:21: the pipeline has routes and an `execution_sequence`",
            ],
        ),
        (
            "name: p\nstages: [{id: alpha, type: exec}, {id: b, type: exec}]\n\
             execution_sequence: [alpha, b, alpah, b, [x], ${GONE}]",
            &[
                "3:32: `execution_sequence` names the unknown stage `alpah` \
                 (hint: did you mean `alpha`?)",
                "3:39: stage `b` stands twice in `execution_sequence`",
                "3:42: `execution_sequence` must list names of stages, not a list",
                "3:47: `${GONE}` is not set (hint: pass --set GONE=value, export GONE, or give",
            ],
        ),
        (
            "name: a${GONE}b ${1}\ndescription: !weird x\nstages: [{id: a, type: exec}]",
            &[
                "1:7: `${GONE}` is not set",
                "1:7: `${1}` is not a placeholder (hint: write ${NAME}",
                "2:14: the tag `!weird` is not known here",
            ],
        ),
    ];
    for (text, expected) in cases {
        check(text, expected);
    }
}

#[test]
fn keys_and_values_of_a_stage() {
    let cases = [
        ("x", &["3:3: stage 1 must be a mapping, not the text \"x\""][..]),
        ("{type: exec}", &["3:3: stage 1 has no `id`"]),
        ("{id: a}", &["3:3: stage `a` has no `type`"]),
        ("{id: '', type: exec}", &["3:8: `id` of stage 1 is empty"]),
        ("{id: done, type: exec}", &["3:8: a stage may not be called `done`"]),
        (
            "{id: a, type: exce}",
            &["3:17: stage `a` has the unknown type `exce` \
               (hint: did you mean `exec`? known types: exec, files, image.rectify, manual)"],
        ),
        (
            "{id: a, type: zzz}",
            &["3:17: stage `a` has the unknown type `zzz` (hint: known types: exec, files,"],
        ),
        (
            "{id: a, type: files, settings: {ulr: 1}}",
            &[
                "3:3: no route leads out of the source stage `a`",
                "3:34: stage `a`: setting `url` is absent",
                "3:40: stage `a`: unknown setting `ulr` (1)",
            ],
        ),
        (
            "{id: a, type: files, settings: {url: '${GONE}', also: 1}}",
            &["3:3: no route leads out", "3:40: `${GONE}` is not set"],
        ),
    ];
    for (stage, expected) in cases {
        check_stage(stage, expected);
    }
}

#[test]
fn numbers_words_and_lists_of_a_stage() {
    let cases: [(&str, &[&str]); _] = [
        (
            "{id: a, type: exec, concurency: 2, concurrency: 0}",
            &[
                "3:23: unknown key `concurency` of stage `a` (hint: did you mean `concurrency`?)",
                "3:51: `concurrency` of stage `a` must be a whole number from 1 to 10000, not 0",
            ],
        ),
        (
            "{id: a, type: exec, concurrency: '${COUNT}', max_deliveries: 1.5}",
            &[
                "3:36: `concurrency` of stage `a` must be a whole number from 1 to 10000, \
               not the text \"7\" (hint: remove the quotes)",
                "3:64: `max_deliveries` of stage `a` must be a whole number from 1 to \
                 10000, not 1.5",
            ],
        ),
        (
            "{id: a, type: exec, timeout_seconds: 0, params: mix, settings: [1]}",
            &[
                "3:40: `timeout_seconds` of stage `a` must be a number of seconds above 0, up to \
               31536000, not 0",
                "3:51: `params` of stage `a` must be merge or replace, not the text \"mix\"",
                "3:66: `settings` of stage `a` must be a mapping, not a list",
            ],
        ),
        (
            "{id: a, type: exec, retry: {max_retries: -1, backoff: linear, delay_seconds: .inf}}",
            &[
                "3:44: `max_retries` of `retry` of stage `a` must be a whole number from 0 to \
               10000, not -1",
                "3:57: `backoff` of `retry` of stage `a` must be none or fixed or exponential, not",
                "3:80: the number `.inf` cannot be written as JSON (hint: put it in quotes",
            ],
        ),
        (
            "{id: a, type: exec, retry: {delay_seconds: 9, delay_max_seconds: 3}}",
            &["3:30: stage `a` waits 9s before its first retry, longer than its longest \
                 wait of 3s"],
        ),
        (
            "{id: a, type: exec, required_params: x, output_params: [k, 5, k]}",
            &[
                "3:40: `required_params` of stage `a` must be a list, not the text \"x\"",
                "3:62: `output_params` of stage `a` must list names, not 5",
                "3:65: `output_params` of stage `a` names `k` twice",
            ],
        ),
        (
            "{id: a, type: exec, form: {ok: boolean}}",
            &["3:29: stage `a` has a form, but its type `exec` is not manual"],
        ),
        (
            "{id: a, type: manual, form: {ok: bool, n: 5, s: string?}}",
            &[
                "3:36: form of stage `a`: field `ok` has the unknown type `bool` (known: string,",
                "3:45: form of stage `a`: field `n` has the unknown type `5`",
            ],
        ),
    ];
    for (stage, expected) in cases {
        check_stage(stage, expected);
    }
}

#[test]
fn keys_and_values_of_routes() {
    let cases = [
        ("- x", &["4:3: route 1 must be a mapping"][..]),
        ("- {to: b}", &["4:3: route 1 has no `from`"]),
        (
            "- {from: a, too: b}",
            &[
                "4:3: route 1 has no `to`",
                "4:13: unknown key `too` of route 1 (hint: did you mean `to`?)",
            ],
        ),
        (
            "- {from: ab, to: nod}\n- {from: bravi, to: doen}",
            &[
                "4:10: a route leads from the unknown stage `ab` (hint: did you mean `a`?)",
                "4:18: a route leads to the unknown stage `nod`",
                "5:10: a route leads from the unknown stage `bravi` (hint: did you mean `bravo`?)",
                "5:21: a route leads to the unknown stage `doen` (hint: did you mean `done`?)",
            ],
        ),
        ("- {from: done, to: a}", &["4:10: a route leads out of `done`, where jobs end"]),
        (
            "- {from: a, to: src}\n- {from: src, to: done}",
            &[
                "4:17: a route leads from `a` to the source stage `src`",
                "5:19: jobs of the source stage `src` would end unworked",
            ],
        ),
        (
            "- {from: a, to: bravo, when: ok ==}\n- {from: a, to: done, when: 5}",
            &[
                "4:30: `when` of route 1: `ok ==` is not a condition: ",
                "5:29: `when` of route 2 must be a text, not 5",
            ],
        ),
        ("x: 1", &["4:3: `routes` of the pipeline must be a list, not a mapping"]),
        ("- {from: src, to: a, on: ''}", &["4:26: the route from `src` is for an empty label"]),
    ];
    check_routes(&cases);
}

#[test]
fn fan_outs_and_joins_in_routes() {
    let cases = [
        (
            "- {from: a, to: bravo, type: parallel}\n- {from: a, to: bravo, type: maybe}\n\
             - {from: a, to: [bravo, src], type: sequential}\n- {from: [a], to: done, type: join}",
            &[
                "4:3: route 1: type `parallel` leads to a list of stages",
                "5:30: `type` of route 2 must be sequential or parallel or join, not the text",
                "6:3: route 3: type `sequential` leads from one stage to one stage",
                "7:3: route 4: type `join` leads to one stage",
            ][..],
        ),
        (
            "- {from: a, to: [{target: bravo, condition: x == 1}]}\n- {from: a, to: []}",
            &[
                "4:18: `to` of route 1 must list names, not a mapping",
                "5:17: `to` of route 2 is empty",
            ],
        ),
        (
            "- {from: a, to: [bravo], each: tiles}\n- {from: a, to: bravo, as: tile}\n\
             - {from: a, to: bravo, join: b}\n- {from: a, to: bravo, at_most: 0}\n\
             - {from: a, to: bravo, on_type: [5]}",
            &[
                "4:17: route 1 has `each` and a list in `to`: items go to one stage",
                "5:3: route 2 has `as` without `each`",
                "6:3: route 3 has a `join`, but makes no children (hint: a list in `to`, or `each`",
                "7:33: `at_most` of route 4 must be a whole number from 1 to 10000, not 0",
                "8:34: `on_type` of route 5 must list names, not 5",
            ],
        ),
        (
            "- {from: a, to: bravo, each: x, join: nod}\n- {from: src, to: a}",
            &["4:39: the fan-out from `a` names the unknown join `nod`"],
        ),
        (
            "- {from: a, to: bravo, each: x, join: bravo}\n- {from: src, to: a}",
            &["4:39: children of `a` are to come together at `bravo`, no join (hint: give stage"],
        ),
    ];
    check_routes(&cases);
}

fn check_routes(cases: &[(&str, &[&str])]) {
    for (routes, expected) in cases {
        let stages = "[{id: a, type: exec}, {id: bravo, type: exec}, \
                      {id: src, type: files, settings: {url: x}}]";
        let margin = if routes.starts_with('-') { "" } else { "  " };
        let text = format!("name: p\nstages: {stages}\nroutes:\n{margin}{routes}");
        check(&text, expected);
    }
}

#[test]
fn problems_are_told_in_lines_with_the_file_in_front() {
    let problems = refused("name: p\nstages: [{id: a, type: exce}]\nx: 1").to_string();
    let lines: Vec<_> = problems.lines().collect();
    assert_eq!(
        lines,
        [
            "scans.yaml:2:24: stage `a` has the unknown type `exce` \
             (hint: did you mean `exec`? known types: exec, files, image.rectify, manual)",
            "scans.yaml:3:1: unknown key `x` of the pipeline (hint: known keys: name, \
             description, stages, executors, routes, edges, execution_sequence, type_param)",
        ]
    );
}

#[test]
fn bad_keys_and_lanes_are_told_where_they_stand() {
    check_stage(
        "{ id: a, type: exec, key: { on_failure: skip } }",
        &["3:29: `key` of stage `a` has no `by`"],
    );
    check_stage(
        "{ id: a, type: exec, key: 'kind +' }",
        &["3:29: `key` of stage `a` is no expression: "],
    );
    check_stage(
        "{ id: a, type: exec, key: { by: x, on_failure: wait } }",
        &["3:50: `on_failure` of `key` of stage `a` must be block or skip"],
    );
    check_stage(
        "{ id: a, type: exec, key: { by: x, together: 0 } }",
        &["3:48: `together` of `key` of stage `a` must be a whole number from 1 to 1000, not 0"],
    );
    check_stage(
        "{ id: a, type: exec, lane_limit: 0 }",
        &["3:36: `lane_limit` of stage `a` must be a whole number from 1 to 100000000, not 0"],
    );
    check_stage(
        "{ id: a, type: manual, key: x, lane_limit: 5, priority_alarm: 0 }",
        &[
            "3:31: stage `a` has a `key`, but its type `manual` keeps no order",
            "3:46: stage `a` has a `lane_limit`, but its type `manual` has no queue",
            "3:65: stage `a` has a `priority_alarm`, but its type `manual` has no queue",
        ],
    );
}
