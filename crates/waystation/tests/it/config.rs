//! Settings from every place, as the program takes them.

use serde_json::Value;

use crate::program::Place;

const PIPELINE: &str = "name: small\nstages:\n  - { id: only, type: exec, settings: { command: \
                        \"echo '{\\\"greeting\\\":\\\"${GREETING}\\\"}'\" } }\n";

fn setting(shown: &Value, key: &str) -> (Value, String) {
    let settings = shown["settings"].as_array().expect("settings");
    let found = settings.iter().find(|one| one["key"] == key).expect(key);
    (found["value"].clone(), found["from"].as_str().expect("an origin").to_owned())
}

#[test]
fn every_value_tells_where_it_comes_from() {
    let place = Place::new().with("WAYSTATION_TOKEN", "wst_s3cret").with("API_PORT", "8099");
    place.write("waystation.toml", "store = \"sqlite://here.db\"\n\n[engine]\ndrain_seconds = 5\n");
    place.write(".env", "WAYSTATION_QUEUE=amqp://ann:s3cret@mq/x\nQUEUE_MAX_MESSAGES=32\n");
    let shown = place.run(&["config", "show", "--json", "--bus", "redis://r"]).exits(0);
    assert!(!shown.stdout.contains("s3cret"), "{}", shown.stdout);
    let shown = &shown.objects()[0];
    for (key, value, from) in [
        ("store", "sqlite://here.db", "waystation.toml:1"),
        ("queue", "amqp://ann@mq/x", ".env WAYSTATION_QUEUE"),
        ("bus", "redis://r", "flag --bus"),
        ("token", "***", "variable WAYSTATION_TOKEN"),
        ("log_level", "warn", "default"),
    ] {
        assert_eq!(setting(shown, key), (Value::from(value), from.to_owned()), "{key}");
    }
    assert_eq!(setting(shown, "listen.port"), (8099.into(), "variable API_PORT".into()));
    assert_eq!(shown["unused"][0]["variable"], "QUEUE_MAX_MESSAGES");
    let table = place.run(&["config", "show"]).exits(0);
    table.says("waystation.toml:4").says("QUEUE_MAX_MESSAGES is set and means nothing here");
    place.run(&["config", "check"]).exits(0).says("the file is waystation.toml");
}

#[test]
fn whatever_is_wrong_is_told_at_once_before_anything_is_done() {
    let place = Place::with_pipeline(PIPELINE).with("WAYSTATION_ENGINE_SERVE", "perhaps");
    place.write("waystation.yaml", "stor: sqlite://a.db\nengine: { lease_seconds: 0 }\n");
    for command in [&["config", "check"][..], &["submit", "pipeline.yaml"]] {
        let refused = place.run(command).exits(2);
        refused
            .says("waystation.yaml:1:7: unknown setting `stor` (hint: did you mean `store`?)")
            .says("waystation.yaml:2: `engine.lease_seconds` must be a number of seconds from 1")
            .says("variable WAYSTATION_ENGINE_SERVE: `engine.serve` must be true or false")
            .says("the settings have 3 problems");
    }
    assert!(!place.path("waystation.db").exists());
    let refused = place.run(&["config", "check", "--json"]).exits(2);
    assert_eq!(refused.objects()[0]["problems"].as_array().map(Vec::len), Some(3));
    Place::new().run(&["run", "a.yaml", "--lease-seconds", "0"]).exits(2).says("--lease-seconds");
}

/// The file's store, and the names that `.env` gives to the pipeline.
#[test]
fn commands_work_by_what_the_file_says() {
    let place = Place::with_pipeline(PIPELINE);
    place.write("other.toml", "store = \"sqlite://${NAME}.db\"\n");
    place.write(".env", "GREETING=hello\nNAME=named\nWAYSTATION_CONFIG=other.toml\n");
    let job = place.run(&["submit", "pipeline.yaml", "--params", "{}"]).exits(0).word();
    assert!(place.path("named.db").exists());
    place.run(&["run", "pipeline.yaml", "--until-idle"]).exits(0);
    assert_eq!(place.show(&job)["job"]["params"]["greeting"], "hello");
    // A real variable goes before the file of variables.
    let real = place.with("NAME", "elsewhere");
    real.run(&["jobs", "list"]).exits(2).says("no store at elsewhere.db");
    // A store that a variable names goes before a server that a file names.
    place.write("other.toml", "server = \"http://127.0.0.1:1\"\n");
    place.run(&["jobs", "list"]).exits(1).says("cannot be reached");
    let real = place.with("WAYSTATION_STORE", "sqlite://named.db");
    real.run(&["jobs", "list"]).exits(0);
}

/// What holds for stages that do not say it themselves.
#[test]
fn stages_take_what_is_said_for_all() {
    let failing = "name: failing\nstages:\n  - { id: plain, type: exec, \
                   settings: { command: 'exit 75' }, retry: { delay_seconds: 0.01 } }\n";
    let place = Place::with_pipeline(failing).with("MAX_TASK_RETRIES", "1");
    let job = place.run(&["submit", "pipeline.yaml", "--params", "{}"]).exits(0).word();
    place.run(&["run", "pipeline.yaml", "--until-idle"]).exits(1);
    let events = place.show(&job)["events"].clone();
    let retried = |event: &&Value| event["kind"] == "retried";
    assert_eq!(events.as_array().expect("events").iter().filter(retried).count(), 1, "{events}");
}

#[test]
fn health_is_an_exit_code() {
    let place = Place::with_pipeline(PIPELINE).with("GREETING", "hello");
    place.run(&["health", "--server", "http://127.0.0.1:1"]).exits(1).says("cannot be reached");
    let engine = ["engine", "pipeline.yaml", "--in-process", "--serve=127.0.0.1:0"];
    let running = place.start(&engine);
    let line = running.wait_for("the dashboard: ");
    let address = line.split("the dashboard: ").nth(1).expect("an address").trim().to_owned();
    let health = |further: &[&str]| {
        let mut words = vec!["health", "--server", &address];
        words.extend(further);
        place.run(&words)
    };
    health(&[]).exits(0).says("healthy");
    health(&["--live"]).exits(0);
    assert_eq!(health(&["--part", "store", "--json"]).exits(0).objects()[0]["ok"], true);
    health(&["--part", "stoer"]).exits(2).says("there is no part `stoer` (there are: store");
    // Without a server's name it is the one that listens here by the settings.
    let port = address.rsplit(':').next().expect("a port");
    let here = place.with("WAYSTATION_LISTEN_PORT", port).with("WAYSTATION_LISTEN_HOST", "0.0.0.0");
    here.run(&["health"]).exits(0);
    running.signal("TERM");
    assert_eq!(running.end(), Some(0));
}
