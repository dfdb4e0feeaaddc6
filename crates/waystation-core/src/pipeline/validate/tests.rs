//! Pipelines built in Rust, and what is wrong with their graphs.

use std::time::Duration;

use crate::condition::Condition;
use crate::id::Label;
use crate::pipeline::load::tests::Fake;
use crate::pipeline::{EntryError, FanOut, Join, Over, Pipeline, Route, Stage, Target, Wait};

/// A pipeline of these routes, each `from > to [label] [? condition] [! most]`, where `b+c` are
/// branches and `b*list` is a child for each item. Stages named `src…` are sources, stages named
/// `ask…` manual, and stages named `join…` joins; all others work.
fn pipeline(stages: &str, routes: &[&str]) -> Pipeline {
    let stages = stages.split_whitespace().map(|id| {
        let source = id.starts_with("src");
        let manual = id.starts_with("ask");
        let kind = if source { "files" } else { "exec" };
        let mut stage = Stage::new(id, if manual { "manual" } else { kind });
        stage.join = id.starts_with("join").then(Join::default);
        if source {
            stage.settings.insert("url".to_owned(), "x".into());
        }
        stage
    });
    let mut pipeline = Pipeline::chain("p", stages.collect());
    pipeline.routes = routes.iter().map(|text| route(text)).collect();
    pipeline
}

fn route(text: &str) -> Route {
    let (text, at_most) = match text.split_once(" ! ") {
        Some((text, most)) => (text, Some(most.parse().unwrap())),
        None => (text, None),
    };
    let (ends, when) = match text.split_once(" ? ") {
        Some((ends, when)) => (ends, Some(Condition::parse(when).unwrap())),
        None => (text, None),
    };
    let words: Vec<_> = ends.split_whitespace().collect();
    let mut route = Route::new(words[0], words[2]);
    if words[2] == "done" {
        route.to = Target::Done;
    }
    let over = match (words[2].split_once('*'), words[2].contains('+')) {
        (Some((to, list)), _) => {
            let (list, item) = (list.to_owned(), FanOut::ITEM.to_owned());
            Some(Over::Items { to: to.into(), list, item })
        }
        (None, true) => Some(Over::Branches(words[2].split('+').map(Into::into).collect())),
        (None, false) => None,
    };
    if let Some(over) = over {
        route.to = Target::FanOut(FanOut { over, join: None });
    }
    route.at_most = at_most;
    route.on = words.get(3).map(|label| Label::from(*label));
    route.when = when;
    route
}

fn check(stages: &str, routes: &[&str], expected: &[&str]) {
    let problems = pipeline(stages, routes).check(&Fake);
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    let same = lines.len() == expected.len()
        && lines.iter().zip(expected).all(|(line, start)| line.starts_with(start));
    assert!(same, "{stages}: {routes:?}\ngave:\n  {}", lines.join("\n  "));
}

#[test]
fn graphs_that_can_run() {
    let cases = [
        ("a", &[][..]),
        ("a b", &[]),
        ("src a", &["src > a"]),
        ("src a b", &["src > a", "a > b ok", "a > done ko", "b > a ? again ! 3", "b > done"]),
        ("a", &["a > a ko ! 2", "a > done"]),
        ("a b", &["a > b", "a > done ko"]),
        ("a b", &["a > b ? x", "a > b ? y", "a > done"]),
        ("a b c", &["a > b", "b > c", "c > b ko ! 9", "c > done"]),
        ("a ask", &["a > ask", "ask > a ? x", "ask > done"]),
        ("a b c join d", &["a > b+c", "b > join", "c > join", "join > d"]),
        ("a b join", &["a > b*tiles", "b > join"]),
        ("a b c", &["a > b+c"]),
        ("a b c join", &["a > b*pages ? x", "a > join", "b > c", "c > join"]),
        ("a b c join1 join2", &["a > b*x", "b > c*y", "c > join1", "join1 > join2"]),
    ];
    for (stages, routes) in cases {
        check(stages, routes, &[]);
    }
}

#[test]
fn graphs_that_cannot() {
    let cases = [
        ("", &[][..], &["the pipeline has no stages"][..]),
        ("a a", &[], &["two stages are called `a`: the 1st and the 2nd"]),
        ("a b", &["a > b", "b > a"], &["a job could go round for ever: `a` → `b` → `a`"]),
        ("a", &["a > a"], &["a job could go round for ever: `a` → `a`"]),
        ("a", &["a > a ko", "a > done"], &["a job could go round for ever: `a` → `a`"]),
        (
            "a b c",
            &["a > b", "b > c", "c > b ? x", "c > done"],
            &["a job could go round for ever: `b` → `c` → `b` (hint: say how often one job may"],
        ),
        ("a b", &["a > b ko"], &["no route leads out of stage `a` for the label `ok`"]),
        ("a b", &["a > b ! 0", "a > done"], &["the route from `a` is taken at most 0 times"]),
        (
            "a b c",
            &["b > c", "c > b ko ! 2", "c > done"],
            &["stage `b` can never be reached", "stage `c` can never be reached"],
        ),
        ("src a", &[], &["no route leads out of the source stage `src`"]),
        (
            "src a",
            &["src > a", "a > src"],
            &[
                "a route leads from `a` to the source stage `src`",
                "a job could go round for ever: `src` → `a` → `src`",
            ],
        ),
        (
            "a b c",
            &["a > b", "a > c"],
            &["the route from `a` to `c` is never taken: an earlier one to `b` takes \
                 every such job (hint: the first route that fits is taken: choose"],
        ),
        (
            "a b c",
            &["a > b", "a > c fine"],
            &["the route from `a` to `c` on fine is never taken: an earlier one to `b` takes \
                 every such job (hint: put the narrower route first, or remove this one)"],
        ),
        (
            "a b c",
            &["a > b ko", "a > c ko ? x", "a > done"],
            &["the route from `a` to `c` on ko when x is"],
        ),
        ("a b c", &["a > b ? x", "a > c ? x"], &["the route from `a` to `c` when x is never"]),
    ];
    for (stages, routes, expected) in cases {
        check(stages, routes, expected);
    }
}

#[test]
fn families_that_cannot() {
    let cases = [
        (
            "a join",
            &["a > join"][..],
            &["the join `join` can never fire: no fan-out makes children that come together"][..],
        ),
        (
            "a b join1 join2",
            &["a > b*x", "b > join1 ? y", "b > join2"],
            &[
                "it cannot be told where the children of `a` come together: at `join1` or `join2`",
                "the join `join1` can never fire",
                "the join `join2` can never fire",
            ],
        ),
        (
            "a b join",
            &["a > b+join", "b > join"],
            &["the fan-out from `a` leads straight to its join `join`"],
        ),
        ("a b", &["a > b+b"], &["the fan-out from `a` names `b` twice"]),
        (
            "a b join",
            &["a > b*x", "b > join ! 5", "b > done", "join > a"],
            &["a job could go round for ever: `a` → `join` → `a`"],
        ),
        ("a b", &["a > b+done"], &["the fan-out from `a` leads to `done`, where jobs end"]),
        (
            "src a b",
            &["src > a+b"],
            &["the source stage `src` cannot make children (hint: route it to a stage of type"],
        ),
    ];
    for (stages, routes, expected) in cases {
        check(stages, routes, expected);
    }
}

#[test]
fn families_within_families_need_joins_of_their_own() {
    let routes = ["a > b+c", "b > d*x", "d > join", "c > join"];
    let mut pipeline = pipeline("a b c d join", &routes);
    for route in &mut pipeline.routes {
        if let Target::FanOut(fan_out) = &mut route.to {
            fan_out.join = Some("join".into());
        }
    }
    let problems: Vec<_> = pipeline.check(&Fake).iter().map(ToString::to_string).collect();
    let expected = "children of `a` and children of `b`, which are made of them, come together at \
                    the same join `join` (hint: give each fan-out a join of its own)";
    assert_eq!(problems, [expected]);
}

#[test]
fn joins_that_wait_for_more_than_there_can_be() {
    let mut pipeline = pipeline("a b c join", &["a > b+c", "b > join", "c > join"]);
    let lines = |pipeline: &Pipeline| {
        pipeline.check(&Fake).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    pipeline.stages[3].join = Some(Join { wait: Wait::AtLeast(2), ..Join::default() });
    assert_eq!(lines(&pipeline), Vec::<String>::new());
    pipeline.stages[3].join = Some(Join { wait: Wait::AtLeast(3), ..Join::default() });
    let never = "the join `join` can never fire: it waits for 3 children of 2 at most";
    assert_eq!(lines(&pipeline), [never]);
    pipeline.stages[3].kind = "manual".to_owned();
    assert!(lines(&pipeline)[0].starts_with("stage `join` is a join, but a person does its work"));
}

#[test]
fn numbers_that_no_file_can_say_are_checked_too() {
    let mut pipeline = pipeline("a", &[]);
    pipeline.stages[0].concurrency = 0;
    pipeline.stages[0].max_deliveries = 0;
    pipeline.stages[0].timeout = Some(Duration::ZERO);
    let problems: Vec<_> = pipeline.check(&Fake).iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "`concurrency` of stage `a` must be from 1 to 10000, not 0",
            "`max_deliveries` of stage `a` must be at least 1, not 0",
            "the timeout of stage `a` must be above 0",
        ]
    );
}

#[test]
fn jobs_start_where_the_source_leads_or_at_the_root() {
    let several = |stages: &[&str]| EntryError::Several {
        pipeline: "p".into(),
        stages: stages.iter().copied().map(Into::into).collect(),
    };
    let cases = [
        ("a b", &["a > b"][..], Ok("a")),
        ("x src a", &["src > a", "x > a"], Ok("a")),
        ("src1 src2 a b", &["src1 > a", "src2 > a"], Ok("a")),
        ("src a b", &["src > a ? x", "src > b"], Err(several(&["a", "b"]))),
        ("a b", &[], Err(several(&["a", "b"]))),
        ("src", &[], Err(EntryError::None { pipeline: "p".into() })),
        ("a b", &["a > b", "b > a"], Ok("a")),
    ];
    for (stages, routes, expected) in cases {
        let entry = pipeline(stages, routes).default_entry(&Fake);
        assert_eq!(entry, expected.map(Into::into), "{stages}: {routes:?}");
    }
    assert_eq!(
        several(&["a", "b"]).to_string(),
        "pipeline `p` has several stages that jobs may start at: a, b \
         (hint: name one with --entry)"
    );
}
