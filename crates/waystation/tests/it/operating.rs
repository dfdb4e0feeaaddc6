//! Looking at everything, pausing and resuming, and whose tasks are: on a store, and at a server.

use serde_json::json;

use crate::program::Place;
use crate::server::Served;

const SCANS: &str = "
name: scans
stages:
  - { id: read, type: pass }
  - { id: check, type: manual, form: { ok: boolean } }
";

/// On a store that the program opens, and at a server.
fn everywhere(what: fn(&Place, &str)) {
    what(&Place::with_pipeline(SCANS), "tester");
    let served = Served::new(&Place::with_pipeline(SCANS));
    what(&served.place_of("ada", "admin"), "ada");
}

#[test]
fn what_is_paused_begins_nothing_until_it_is_resumed() {
    everywhere(|place, me| {
        let job = place.run(&["submit", "pipeline.yaml"]).exits(0).word();
        place.run(&["pauses"]).exits(0).says("nothing is paused");
        let pause = ["pause", "scans/read", "--reason", "the scanner is off"];
        place.run(&pause).exits(0).says("stage read of scans is paused");
        let listed = place.run(&["pauses"]).exits(0).says("scans/read").says("the scanner is off");
        listed.says(me).says("waystation resume scans/read");
        place.run(&["jobs", "why", &job]).exits(0).says("is paused by").says("the scanner is off");
        place.run(&["queues"]).exits(0).says("scans/read paused");
        place.run(&["overview"]).exits(0).says("read ‖");
        place.run(&["resume", "scans/read"]).exits(0).says("stage read of scans goes on");
        place.run(&["resume", "scans/read"]).exits(0).says("was not paused");
        place.run(&["drain", "scans"]).exits(0).says("takes nothing new");
        place.run(&["submit", "scans"]).exits(2).says("takes no new jobs");
        place.run(&["resume", "scans"]).exits(0);
        place.run(&["pause", "queue:scans.read", "--json"]).exits(0).says("queue/scans.read");
        place.run(&["resume", "queue:scans.read"]).exits(0);
        for (target, message) in [
            ("scans/none", "`none`"),
            ("other", "pipeline `other` is unknown"),
            ("queue:", "PIPELINE, PIPELINE/STAGE or queue:NAME is due"),
        ] {
            place.run(&["pause", target]).exits(2).says(message);
        }
        place.run(&["audit"]).exits(0).says("pause_stage").says(me);
    });
}

#[test]
fn tasks_are_claimed_assigned_and_due() {
    everywhere(|place, me| {
        place.run(&["submit", "pipeline.yaml", "--entry", "check"]).exits(0);
        place.run(&["inbox", "claim", "1", "--seconds", "60"]).exits(0).says(me);
        place.run(&["inbox", "list", "--holder", "me"]).exits(0).says("check");
        place.run(&["inbox", "assign", "1", "bob"]).exits(0).says("held by bob");
        place.run(&["inbox", "claim", "1"]).exits(1).says("task 1 is held by bob");
        let answer = ["inbox", "answer", "1", "--answer", r#"{"ok": true}"#];
        place.run(&answer).exits(1).says("is held by bob");
        place.run(&["inbox", "due", "1", "2020-01-31T12:00:00Z"]).exits(0).says("due 2020-01-31");
        place.run(&["inbox", "list"]).exits(0).says("(overdue)").says("bob");
        place.run(&["inbox", "show", "1"]).exits(0).says("held by bob").says("(overdue)");
        place.run(&["inbox", "assign", "1"]).exits(0).says("held by nobody");
        place.run(&["inbox", "due", "1"]).exits(0);
        place.run(&["inbox", "release", "1"]).exits(0).says("held by nobody");
        place.run(&answer).exits(0);
        place.run(&["inbox", "claim", "1"]).exits(2).says("there is no task 1");
    });
}

#[test]
fn everything_can_be_looked_at() {
    everywhere(|place, _| {
        place.run(&["pipelines", "put", "pipeline.yaml"]).exits(0).says("scans version 1 is put");
        place.run(&["pipelines", "put", "pipeline.yaml"]).exits(0).says("was there already");
        place.run(&["submit", "scans"]).exits(0);
        place.run(&["run", "pipeline.yaml", "--until-idle"]).exits(0);
        place.run(&["pipelines", "list"]).exits(0).says("scans");
        let shown =
            place.run(&["pipelines", "show", "scans"]).exits(0).says("version 1, the newest");
        shown.says("{ id: read, type: pass }").says("manual");
        place.run(&["pipelines", "show", "scans", "--version", "9"]).exits(2);
        place.run(&["workers"]).exits(0);
        place.run(&["sources"]).exits(0).says("no sources");
        let queues = place.run(&["queues", "--json"]).exits(0).objects();
        assert_eq!(queues[0]["queue"], json!("scans.read"));
        let overview = place.run(&["overview", "--json"]).exits(0).objects().remove(0);
        let check = &overview["pipelines"][0]["stages"][1];
        assert_eq!((&check["id"], &check["jobs"]), (&json!("check"), &json!({ "waiting": 1 })));
        assert!(check["oldest_at"].is_string(), "{check}");
        let read = &overview["pipelines"][0]["stages"][0]["flow"];
        assert!(read["completed_per_minute"].as_f64() > Some(0.0), "{read}");
        place.run(&["overview"]).exits(0).says("scans version 1").says("check");
    });
}
