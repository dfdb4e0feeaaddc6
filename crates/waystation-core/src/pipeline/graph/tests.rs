//! Pictures of pipelines.

use crate::condition::Condition;
use crate::id::Label;
use crate::pipeline::load::tests::Fake;
use crate::pipeline::load::tests::good::SCANS;
use crate::pipeline::{Note, Pipeline, Route, Stage};

fn scans() -> Pipeline {
    Pipeline::load("scans.yaml", SCANS, &|_| None, &Fake).unwrap()
}

#[test]
fn mermaid_of_the_design() {
    assert_eq!(
        scans().to_mermaid(&Fake),
        r#"flowchart LR
    s0(["find<br/>files"])
    s1["rectify<br/>image.rectify"]
    s2[/"validate<br/>manual"/]
    s3[/"correct<br/>manual"/]
    s4(("done"))
    s0 --> s1
    s1 -->|"ok"| s2
    s1 -->|"ko"| s3
    s2 -->|"ok == true"| s4
    s2 -->|"ok == false"| s3
    s3 --> s4
"#
    );
}

/// A long pipeline with every kind of arrow.
fn large() -> Pipeline {
    let names = [
        "discover",
        "fetch",
        "detect",
        "split",
        "ocr",
        "tables",
        "figures",
        "translate",
        "merge",
        "review",
        "index",
        "notify",
        "archive",
        "park",
    ];
    let stages = names.map(|name| {
        Stage::new(
            name,
            match name {
                "discover" => "files",
                "review" | "park" => "manual",
                _ => "exec",
            },
        )
    });
    let mut pipeline = Pipeline::chain("large", stages.to_vec());
    let route = |from: &str, to: &str, on: Option<&str>, when: Option<&str>| Route {
        on: on.map(Label::from),
        when: when.map(|source| Condition::parse(source).unwrap()),
        ..Route::new(from, to)
    };
    pipeline.routes = vec![
        route("discover", "fetch", None, None),
        route("fetch", "fetch", Some("ko"), None),
        route("fetch", "detect", None, None),
        route("detect", "split", None, Some("pages > 1")),
        route("detect", "ocr", None, Some("kind == \"scan\" && size < 10 && language in ['de']")),
        route("detect", "tables", None, Some("kind == 'sheet'")),
        route("detect", "figures", None, None),
        route("detect", "park", Some("ko"), None),
        route("split", "ocr", None, None),
        route("ocr", "translate", Some("ok"), Some("language != 'en'")),
        route("ocr", "merge", Some("ok"), None),
        route("ocr", "park", Some("ko"), None),
        route("tables", "merge", None, None),
        route("figures", "merge", None, None),
        route("translate", "merge", None, None),
        route("merge", "review", None, Some("score < 0.8")),
        route("merge", "index", None, None),
        route("review", "index", None, Some("ok")),
        route("review", "detect", None, Some("!ok")),
        route("index", "notify", None, None),
        route("index", "index", Some("busy"), None),
        route("notify", "archive", None, None),
        route("park", "detect", Some("again"), None),
        route("park", "archive", Some("give_up"), None),
    ];
    pipeline
}

#[test]
fn svg_holds_every_stage_and_escapes_their_words() {
    let svg = large().to_svg(&Fake);
    if let Ok(folder) = std::env::var("LOOK") {
        std::fs::write(format!("{folder}/large.svg"), &svg).unwrap();
        std::fs::write(format!("{folder}/scans.svg"), scans().to_svg(&Fake)).unwrap();
    }
    for stage in &large().stages {
        assert!(svg.contains(&format!("data-stage=\"{}\"", stage.id)), "{}", stage.id);
    }
    assert!(svg.contains("score &lt; 0.8"));
    assert!(svg.contains("…<title>kind == &quot;scan&quot; &amp;&amp; size &lt; 10"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
}

#[test]
fn notes_stand_below_their_boxes() {
    let notes = |stage: &str| match stage {
        "rectify" => vec![Note { class: "running", text: "3 <run>".into() }],
        _ => Vec::new(),
    };
    let svg = scans().to_svg_with(&Fake, &notes);
    assert_eq!(svg.matches("class=\"notes\"").count(), 1);
    assert!(svg.contains("<tspan class=\"note running\">3 &lt;run&gt;</tspan>"), "{svg}");
}
