//! `waystation doctor`, and that `run` minds what it finds.

use crate::program::Place;

const PIPELINE: &str = "{ name: x, stages: [{ id: a, type: pass }] }";

#[test]
fn default_store_is_looked_at_and_not_made() {
    let place = Place::new();
    let seen = place.run(&["doctor"]).exits(0);
    assert!(seen.stdout.contains("sqlite://waystation.db: good"), "{}", seen.stdout);
    assert!(seen.stdout.contains("no file waystation.db yet"), "{}", seen.stdout);
    assert!(!place.path("waystation.db").exists());
}

#[test]
fn refused_store_is_told_beside_the_good_one() {
    let place = Place::new();
    place.write("letter.txt", "Dear reader, this is by no means a database of SQLite.");
    let urls = ["sqlite://letter.txt", "memory://"];
    let seen = place.run(&["doctor", "--json", urls[0], urls[1]]).exits(1);
    let reports: serde_json::Value = serde_json::from_str(&seen.stdout).expect("one document");
    assert_eq!(reports[0]["url"], urls[0]);
    let findings = reports[0]["findings"].as_array().expect("findings");
    assert!(findings.iter().any(|one| one["severity"] == "refuse" && one["subject"] == "file"));
    assert_eq!(reports[1]["findings"][0]["severity"], "fine");
}

#[test]
fn unreachable_server_is_refused_and_unknown_schemes_are_errors() {
    let place = Place::new();
    let seen = place.run(&["doctor", "postgres://me:secret@127.0.0.1:1/jobs"]).exits(1);
    assert!(seen.stdout.contains("postgres://me@127.0.0.1:1/jobs: refused for 1 reason"));
    assert!(!seen.stdout.contains("secret"), "{}", seen.stdout);
    place.run(&["doctor", "nosql://x"]).exits(2).says("unknown scheme `nosql`");
}

#[test]
#[ignore = "needs a PostgreSQL server, named by WAYSTATION_TEST_POSTGRES"]
fn run_refuses_a_server_that_would_lose_jobs_unless_it_is_meant() {
    let server = std::env::var("WAYSTATION_TEST_POSTGRES").expect("a server is named");
    let place = Place::with_pipeline(PIPELINE);
    let schema = format!("doctor_{}", std::process::id());
    let store = format!("{server}?schema={schema}&options=-csynchronous_commit%3Doff");
    let run = ["run", "pipeline.yaml", "--until-idle", "--store", &store];
    place.run(&run).exits(2).says("synchronous_commit is off").says("unsafe=allow");
    let meant = format!("{store}&unsafe=allow");
    let run = ["run", "pipeline.yaml", "--until-idle", "--store", &meant];
    place.run(&run).exits(0).says("synchronous_commit: synchronous_commit is off");
    let seen = place.run(&["doctor", &store]).exits(1);
    assert!(seen.stdout.contains("refuse"), "{}", seen.stdout);
}
