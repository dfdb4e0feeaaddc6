//! New jobs, few and many.

use std::fmt::Write;

use serde_json::json;

use crate::program::Place;

const TWO: &str = "{ name: two, stages: [{ id: first, type: pass }, { id: second, type: exec, \
                   settings: { command: 'echo hello; echo {}' } }] }";

#[test]
fn lines_of_stdin_become_jobs_in_batches() {
    let place = Place::with_pipeline(TWO);
    let mut lines = String::new();
    for number in 0..2_500 {
        let _ = writeln!(lines, r#"{{"number": {number}}}"#);
    }
    let submit = ["submit", "pipeline.yaml", "--params", "-"];
    let submitted = place.run_with(&submit, &lines).exits(0);
    assert_eq!(submitted.stdout.lines().count(), 2_500);
    lines.push_str("{nonsense");
    let refused = place.run_with(&submit, &lines).exits(2).says("--params - is not JSON");
    let refused = refused.says("line 2501").says("2000 jobs before that: submitted");
    assert_eq!(refused.stdout.lines().count(), 2_000);
}

#[test]
fn same_key_or_id_is_one_job() {
    let place = Place::with_pipeline(TWO);
    for option in ["--key", "--job-id"] {
        let submit = ["submit", "pipeline.yaml", option, "same"];
        let first = place.run(&submit).exits(0).word();
        let second = place.run(&submit).exits(0);
        assert_eq!(second.word(), first, "a script gets the id either way");
        second.says("is there already");
    }
    place.write("many.json", "{} {}");
    let many = ["submit", "two", "--key", "k", "--params", "@many.json"];
    place.run(&many).exits(2).says("--key is for one job");
}

#[test]
fn watched_job_is_followed_to_its_end() {
    let place = Place::with_pipeline(TWO);
    let run = place.start(&["run", "pipeline.yaml"]);
    run.wait_for("no jobs yet");
    let watched = place.run(&["submit", "two", "--watch", "--exit", "first"]).exits(0);
    watched.says("completed at first");
    let watched = place.run(&["submit", "two", "--watch", "--json"]).exits(0);
    let last = watched.objects().pop().expect("lines");
    assert_eq!(last["job"]["state"], json!("completed"));
    watched.says(r#""line":"hello""#);
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
}

#[test]
fn delayed_job_tells_until_when() {
    let place = Place::with_pipeline(TWO);
    let submit = ["submit", "pipeline.yaml", "--delay-seconds", "3600", "--entry", "second"];
    let job = place.run(&submit).exits(0).word();
    place.run(&["jobs", "show", &job]).exits(0).says("delayed at stage second").says("not before");
}
