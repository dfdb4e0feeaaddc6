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
    for option in ["--dedupe-key", "--key", "--job-id"] {
        let submit = ["submit", "pipeline.yaml", option, &format!("same{option}")];
        let first = place.run(&submit).exits(0).word();
        let second = place.run(&submit).exits(0);
        assert_eq!(second.word(), first, "a script gets the id either way");
        second.says("is there already");
    }
    place.write("many.json", "{} {}");
    let many = ["submit", "two", "--dedupe-key", "k", "--params", "@many.json"];
    place.run(&many).exits(2).says("--dedupe-key is for one job");
    let policy = ["submit", "two", "--on-duplicate", "reject"];
    place.run(&policy).exits(2).says("--dedupe-key");
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

#[test]
fn duplicate_is_rejected_or_replaces_where_that_is_wanted() {
    let place = Place::with_pipeline(TWO);
    let submit = |policy: &str, more: &[&str]| {
        let arguments =
            ["submit", "pipeline.yaml", "--dedupe-key", "scan-7", "--on-duplicate", policy];
        place.run(&[&arguments, more].concat())
    };
    let first = submit("reject", &[]).exits(0).word();
    let rejected = submit("reject", &[]).exits(1);
    assert_eq!(rejected.stdout, "", "no id of a job that was not submitted");
    rejected.says(&format!("error: dedupe key `scan-7` is that of job {first} already"));
    let told = submit("reject", &["--json"]).exits(1).objects().remove(0);
    let expected = json!({ "job_id": first, "outcome": "rejected" });
    assert_eq!(told, expected);
    assert_eq!(submit("return-existing", &[]).exits(0).word(), first);

    let second = submit("replace", &[]).exits(0).says("it takes the place of job");
    let second = second.word();
    assert_eq!(place.show(&first)["job"]["state"], json!("aborted"));
    place.run(&["jobs", "show", &first]).says(&format!("replaced by job {second}"));
    let told = submit("replace", &["--json"]).exits(0).objects().remove(0);
    assert_eq!((&told["outcome"], &told["replaced"]), (&json!("replaced"), &json!(second)));
}

#[test]
fn priorities_have_names() {
    let place = Place::with_pipeline(&TWO.replace("id: first,", "id: first, concurrency: 1,"));
    let submit = |priority: &str| {
        place.run(&["submit", "pipeline.yaml", "--exit", "first", "--priority", priority])
    };
    let ids =
        ["low", "5", "-5", "critical", "high", "normal"].map(|one| submit(one).exits(0).word());
    place.run(&["run", "pipeline.yaml", "--until-idle"]).exits(0);
    let started = |id: &String| {
        let events = place.show(id)["events"].clone();
        let events = events.as_array().cloned().expect("events");
        let started = events.iter().position(|event| event["kind"] == "started");
        events[started.expect("it ran")]["at"].as_str().expect("a moment").to_owned()
    };
    let [low, five, minus_five, critical, high, normal] = ids.each_ref().map(started);
    let order = [critical, high, five, normal, minus_five, low];
    assert!(order.is_sorted(), "{order:?}");
    let message = "`urgent` is no priority: low, normal, high, critical, or a whole number from";
    submit("urgent").exits(2).says(message);
}

#[test]
fn deadline_is_kept_and_one_in_the_past_is_refused() {
    let place = Place::with_pipeline(TWO);
    let submit = |deadline: &str| place.run(&["submit", "pipeline.yaml", "--deadline", deadline]);
    let job = submit("2199-01-31T12:00:00+01:00").exits(0).word();
    place.run(&["jobs", "show", &job]).exits(0).says("deadline   2199-01-31");
    submit("2020-01-31T12:00:00Z").exits(2).says("deadline 2020-01-31T12:00:00.000Z is not after");
    submit("tomorrow").exits(2).says("`tomorrow` is no moment (hint: 2026-01-31T12:00:00Z");
}

#[test]
fn full_lane_is_said_and_waited_for() {
    let place = Place::with_pipeline(
        "{ name: narrow, stages: [{ id: first, type: pass, lane_limit: 2, key: id }] }",
    );
    let submit = ["submit", "pipeline.yaml", "--params", r#"{"id": 1} {"id": 1}"#];
    place.run(&submit).exits(0);
    let full = place.run(&submit).exits(1).says("the lane of stage `first` is full");
    full.says("2 jobs wait there, 2 more would be above its limit of 2");
    let queues = place.run(&["queues", "--json"]).exits(0).objects();
    assert_eq!((&queues[0]["ready"], &queues[0]["behind"]), (&json!(1), &json!(1)));
    place.run(&["submit", "narrow", "--params", "{}"]).exits(2).says("key `id` gives Null");
    let high = ["submit", "narrow", "--params", r#"{"id": 2}"#, "--priority", "high"];
    place.run(&high).exits(0);

    let waiting =
        place.start(&["submit", "narrow", "--params", r#"{"id": 1}"#, "--wait-for-room", "60"]);
    let run = place.start(&["run", "pipeline.yaml"]);
    assert_eq!(waiting.end(), Some(0));
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
}
