//! One act on many jobs: on a store, and at a server.

use std::fmt::Write;

use serde_json::json;

use crate::program::Place;
use crate::server::Served;

const FAILING: &str = "{ name: bulk, stages: [{ id: first, type: pass }, { id: no, type: exec, \
                       settings: { command: 'cat missing.json' } }] }";

fn everywhere(what: fn(&Place)) {
    what(&Place::with_pipeline(FAILING));
    let served = Served::new(&Place::with_pipeline(FAILING));
    what(&served.place_of("ada", "admin"));
}

fn submit(place: &Place, jobs: usize) -> Vec<String> {
    let mut lines = String::new();
    for number in 0..jobs {
        let _ = writeln!(lines, r#"{{"group": "g{}"}}"#, number % 2);
    }
    let submit = ["submit", "pipeline.yaml", "--params", "-"];
    let ids = place.run_with(&submit, &lines).exits(0).stdout;
    ids.lines().map(str::to_owned).collect()
}

#[test]
fn all_that_match_are_aborted() {
    everywhere(|place| {
        submit(place, 20);
        let all = ["jobs", "abort", "--all", "--pipeline", "bulk", "--text", "g1"];
        place.run(&[&all[..], &["--dry-run"]].concat()).exits(0).says("10 jobs would be aborted");
        let done = place.run(&all).exits(0).says("is done: 10 jobs aborted");
        let id = done.stdout.split(' ').nth(1).expect("an id").to_owned();
        let aborted = place.run(&["jobs", "list", "--state", "aborted", "--json"]).exits(0);
        let aborted = aborted.objects();
        assert_eq!(aborted.len(), 10);
        assert!(aborted.iter().all(|job| job["params"]["group"] == json!("g1")));
        place.run(&["operations", "list"]).exits(0).says(&id);
        let shown = place.run(&["operations", "show", &id, "--json"]).exits(0).objects().remove(0);
        assert_eq!((&shown["state"], &shown["done"]), (&json!("done"), &json!(10)));
        place.run(&["operations", "cancel", &id]).exits(1).says("is done already");
        let rest = place.run(&["jobs", "abort", "--all", "--json"]).exits(0).objects();
        assert_eq!(rest[0]["done"], json!(10));
        let senseless = ["jobs", "abort", "--all", "--state", "completed"];
        place.run(&senseless).exits(2);
        place.run(&["jobs", "abort", "a", "--pipeline", "bulk"]).exits(2).says("add --all");
        place.run(&["jobs", "abort", "a", "--all"]).exits(2);
    });
}

#[test]
fn failed_jobs_are_tried_again_from_elsewhere_and_with_other_params() {
    everywhere(|place| {
        let jobs = submit(place, 4);
        place.run(&["run", "pipeline.yaml", "--until-idle"]).exits(1);
        let first = &jobs[0];
        let retry = ["jobs", "retry", first, "--from", "first", "--params", r#"{"group": "new"}"#];
        place.run(&retry).exits(0).says(&format!("{first} goes on at first"));
        assert_eq!(place.show(first)["job"]["params"], json!({ "group": "new" }));
        place.run(&["jobs", "retry", &jobs[1], "--from", "nowhere"]).exits(1).says("nowhere");
        let two = ["jobs", "retry", &jobs[1], &jobs[2], "--params", "{}"];
        place.run(&two).exits(2).says("--params is for one job");
        let all = ["jobs", "retry", "--all", "--state", "failed", "--from", "first"];
        place.run(&all).exits(0).says("is done: 3 jobs tried again");
        place.write("missing.json", "{}");
        place.run(&["run", "pipeline.yaml", "--until-idle"]).exits(0);
        let completed = place.run(&["jobs", "list", "--state", "completed", "--json"]).exits(0);
        assert_eq!(completed.objects().len(), 4);
    });
}
