//! Commands and params that make no sense: each is named, and costs nothing.

use crate::program::Place;

const PIPELINE: &str = "{ name: one, stages: [{ id: detect, type: pass, required_params: \
                        [image] }, { id: ask, type: manual, form: { ok: boolean } }] }";

#[test]
fn bad_submissions_are_refused() {
    let cases: &[(&[&str], &str)] = &[
        (&["--params", "{oops"], "--params is not JSON: key must be a string"),
        (&["--params", "[1]"], "--params must be a JSON object, not an array"),
        (&["--params", "@no.json"], "cannot read no.json"),
        (&["--params", "-"], "--params holds no object"),
        (&["--entry", "nowhere"], "no entry stage `nowhere` (its stages: detect, ask)"),
        (&["--exit", "nowhere"], "no exit stage `nowhere`"),
        (&[], "stage `detect` requires params: `image` is absent"),
        (&["--params", r#"{"image": ""}"#], "`image` is an empty text"),
        (&["--priority", "urgent"], "invalid value 'urgent'"),
        (&["--store", "nosql://x"], "unknown scheme `nosql` (known: sqlite, postgres, memory)"),
        (&["--store", "x.db"], "has no scheme (hint: sqlite://waystation.db)"),
        (&["--store", "sqlite://no/such/folder/x.db"], "there is no folder no/such/folder"),
        (&["--set", "nothing"], "NAME=VALUE is due"),
    ];
    let place = Place::with_pipeline(PIPELINE);
    for (arguments, message) in cases {
        let submit = [&["submit", "pipeline.yaml"], *arguments].concat();
        place.run(&submit).exits(2).says(message);
    }
    let jobs = place.run(&["jobs", "list", "--json"]).exits(0);
    assert_eq!(jobs.stdout, "");
}

#[test]
fn what_is_not_there_is_named() {
    let place = Place::with_pipeline(PIPELINE);
    for command in [&["jobs", "list"][..], &["inbox", "list"], &["dead", "list"]] {
        place.run(command).exits(2).says("no store at waystation.db (hint:");
        assert!(!place.path("waystation.db").exists(), "{command:?}");
    }
    place.run(&["submit", "pipeline.yaml", "--params", r#"{"image": "a"}"#]).exits(0);
    let cases: &[(&[&str], &str)] = &[
        (&["jobs", "show", "j1"], "there is no job j1"),
        (&["jobs", "watch", "j1"], "there is no job j1"),
        (&["jobs", "abort", "j1"], "job j1 unknown to this store"),
        (&["jobs", "retry", "j1"], "job j1 is unknown to this store"),
        (&["dead", "drop", "j1"], "job j1 is unknown to this store"),
        (&["jobs", "list", "--state", "done"], "no state of a job (known: ready, queued"),
        (&["inbox", "show", "7"], "there is no task 7 in the inbox"),
        (&["inbox", "answer", "7", "--answer", "{}"], "there is no task 7 in the inbox"),
        (&["submit", "two"], "pipeline `two` is unknown to this store"),
        (&["jobs", "retry"], "<JOBS|--all-failed|--all>"),
        (&["dead", "drop"], "<JOBS|--all>"),
        (&["run", "no.yaml"], "cannot read pipeline file no.yaml"),
    ];
    for (arguments, message) in cases {
        place.run(arguments).exits(2).says(message);
    }
}

#[test]
fn answer_must_fit_the_form_and_the_task_stays() {
    let place = Place::with_pipeline(PIPELINE);
    place.run(&["submit", "pipeline.yaml", "--entry", "ask"]).exits(0);
    let cases = [
        ("{}", "`ok` (boolean) is absent"),
        (r#"{"ok": "yes"}"#, "`ok` must be boolean, not a text (\"yes\")"),
        (r#"{"ok": true, "more": 1}"#, "`more` is not asked for (ok: boolean)"),
        ("true", "--answer must be a JSON object, not a boolean"),
    ];
    for (answer, message) in cases {
        place.run(&["inbox", "answer", "1", "--answer", answer]).exits(2).says(message);
    }
    place.run(&["inbox", "answer", "1", "--answer", r#"{"ok": true}"#]).exits(0);
}

#[test]
fn foreign_and_newer_files_are_left_alone() {
    let place = Place::with_pipeline(PIPELINE);
    place.write("waystation.db", "This is no database, and long enough to be looked at.");
    place.run(&["jobs", "list"]).exits(2).says("waystation.db").says("not a database");
    let text = std::fs::read_to_string(place.path("waystation.db")).expect("still a text");
    assert!(text.starts_with("This is no database"), "{text}");

    let newer = ["--store", "sqlite://newer.db"];
    let submit = ["submit", "pipeline.yaml", "--params", r#"{"image": "a"}"#];
    place.run(&[&submit[..], &newer].concat()).exits(0);
    let file = rusqlite::Connection::open(place.path("newer.db")).expect("a database");
    file.pragma_update(None, "user_version", 99).expect("a version");
    drop(file);
    let refused = place.run(&[&["jobs", "list"], &newer[..]].concat()).exits(2);
    refused.says("newer.db has schema version 99").says("newer than the");
}
