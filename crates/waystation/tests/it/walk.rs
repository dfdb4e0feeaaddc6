//! A job's whole way, and a failed one's way back.

use serde_json::json;

use crate::program::Place;
use crate::server::Served;

const WALK: &str = r#"
pipeline:
  name: walk
  stages:
    - id: measure
      type: exec
      settings: { command: "echo measuring; echo '{\"size\": 3}'" }
    - { id: check, type: manual, form: { ok: boolean, note: "string?" } }
    - id: keep
      type: exec
      settings: { command: "cat ${folder}/good && echo" }
  routes:
    - { from: measure, to: check }
    - { from: check, to: keep, when: "ok == true" }
    - { from: check, to: done, when: "ok == false" }
"#;

const SET: &[&str] = &["--set", "folder=."];

#[test]
fn job_goes_from_submission_over_the_inbox_to_its_end() {
    go_over_the_inbox(&Place::new(), SET, &["--by", "Ada"]);
}

#[test]
fn job_goes_the_same_way_at_a_server() {
    // A server gives the names in pipeline files the values of its own environment.
    let served = Served::new(&Place::new().with("folder", "."));
    go_over_the_inbox(&served.place_of("Ada", "admin"), &[], &[]);
}

/// `set` gives the pipeline's names their values, `by` says who answers.
fn go_over_the_inbox(place: &Place, set: &[&str], by: &[&str]) {
    place.write("pipeline.yaml", WALK);
    place.write("good", r#"{"kept": true}"#);
    let submit = ["submit", "pipeline.yaml", "--params", r#"{"name": "a"}"#];
    let job = place.run(&[&submit, set].concat()).exits(0).word();
    let run = [&["run", "pipeline.yaml", "--until-idle"], set].concat();
    let first = place.run(&run).exits(0).says("1 job waits for a person");
    assert!(first.stdout.contains("check        1"), "{first:#?}");

    place.run(&["inbox", "list"]).exits(0).says(&job);
    let shown = place.run(&["inbox", "show", "1"]).exits(0).says("\"size\": 3");
    let pasted = shown.says("waystation inbox answer 1 --answer '{\"ok\":true}'");
    assert!(pasted.stdout.contains("note  string (may be left out)"), "{pasted:#?}");
    // Answers need no value for the `${folder}` that only the engine's stage uses.
    let answer = [&["inbox", "answer", "1", "--answer", r#"{"ok": true}"#], by].concat();
    place.run(&answer).exits(0).says("queued at stage keep");
    place.run(&answer).exits(2).says("there is no task 1 in the inbox");

    place.run(&run).exits(0).says("completed");
    let shown = place.show(&job);
    assert_eq!(shown["job"]["state"], "completed");
    let expected = json!({ "name": "a", "size": 3, "ok": true, "kept": true });
    assert_eq!(shown["job"]["params"], expected);
    let told = place.run(&["jobs", "show", &job]).exits(0).says("answered by Ada");
    told.says("measuring").says("completed at stage keep");
}

#[test]
fn failed_job_goes_on_after_mending() {
    mend(&Place::new());
    let served = Served::new(&Place::new());
    mend(&served.place_of("Ada", "admin"));
}

fn mend(place: &Place) {
    place.write(
        "pipeline.yaml",
        r"
name: mended
stages:
  - { id: first, type: pass }
  - { id: second, type: exec, settings: { command: 'cat missing.json' } }
",
    );
    let job = place.run(&["submit", "pipeline.yaml"]).exits(0).word();
    let run = ["run", "pipeline.yaml", "--until-idle"];
    place.run(&run).exits(1).says("1 job failed: `").says("waystation dead list`");
    place.run(&["dead", "list"]).exits(0).says(&job).says("ended with exit code 1");
    place.run(&["jobs", "show", &job]).exits(0).says("No such file").says("jobs retry");

    place.write("missing.json", r#"{"found": 1}"#);
    place.run(&["dead", "retry", &job]).exits(0).says("goes on at second");
    place.run(&run).exits(0);
    assert_eq!(place.show(&job)["job"]["params"], json!({ "found": 1 }));
    place.run(&["jobs", "retry", &job]).exits(1).says("is completed, not with the dead letters");
    place.run(&["dead", "list"]).exits(0).says("no dead letters");
}

#[test]
fn dropped_letters_stay_failed() {
    drop_all(&Place::new());
    let served = Served::new(&Place::new());
    drop_all(&served.place_of("Ada", "admin"));
}

fn drop_all(place: &Place) {
    place.write(
        "pipeline.yaml",
        "{ name: drop, stages: [{ id: no, type: exec, settings: { command: 'exit 1' } }] }",
    );
    for _ in 0..3 {
        place.run(&["submit", "pipeline.yaml"]).exits(0);
    }
    place.run(&["run", "pipeline.yaml", "--until-idle"]).exits(1);
    let retried = place.run(&["jobs", "retry", "--all-failed", "--pipeline", "drop"]).exits(0);
    assert_eq!(retried.stdout.lines().count(), 3);
    place.run(&["run", "pipeline.yaml", "--until-idle"]).exits(1);
    let dropped = place.run(&["dead", "drop", "--all"]).exits(0);
    assert_eq!(dropped.stdout.lines().count(), 3);
    place.run(&["dead", "list"]).exits(0).says("no dead letters");
    let failed = place.run(&["jobs", "list", "--state", "failed", "--json"]).exits(0);
    assert_eq!(failed.objects().len(), 3);
}
