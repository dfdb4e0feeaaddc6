//! `waystation dp3`: the task queues of DP3 from the command line.

use serde_json::{Value, json};

use crate::program::Place;

fn server() -> String {
    std::env::var("WAYSTATION_TEST_RABBITMQ").expect("a server is named")
}

/// An application of a test's own, taken away at its end.
struct Application {
    place: Place,
    name: String,
}

impl Application {
    fn new() -> Self {
        let place = Place::new().with("WAYSTATION_QUEUE", &server());
        let name = format!("test-{:032x}", fastrand::u128(..));
        Self { place, name }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        let delete = ["dp3", "declare", &self.name, "--delete", "--force", "--workers", "3"];
        self.place.run(&delete);
    }
}

fn objects(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn dp3_lines_that_are_no_tasks_are_all_named_and_nothing_is_sent() {
    let place = Place::new();
    let bad = concat!(
        r#"{"etype":"A","eid":1,"delete":true}"#,
        "\n\n",
        r#"{"etype":"A","eid":1}"#,
        "\n",
        r#"{"etype":"mac","eid":"AA-BB-CC-DD-EE-FF","delete":true}"#,
        "\n",
    );
    place.write("tasks.jsonl", bad);
    // No broker is asked before the lines are good: there is none at this address.
    let nowhere = ["--broker", "amqp://127.0.0.1:1", "--workers", "2"];
    let put = [&["dp3", "put", "net", "tasks.jsonl"], &nowhere[..]].concat();
    let seen = place.run(&put).exits(2);
    seen.says("tasks.jsonl:3: data_points is `[]`: a task has a data point, a token or")
        .says("tasks.jsonl:4: eid is `AA-BB-CC-DD-EE-FF`: as an id of kind mac it is written")
        .says("hint: --eid mac=mac or --eid mac=string")
        .says("2 of 3 lines cannot be sent: nothing was sent");
    place.run_with(&[&["dp3", "put", "net", "-"], &nowhere[..]].concat(), "").exits(2);
    let good = r#"{"etype":"A","eid":1,"delete":true}"#;
    place
        .run_with(&[&["dp3", "put", "net", "-"], &nowhere[..]].concat(), good)
        .exits(1)
        .says("cannot open amqp://127.0.0.1:1");
    let cases: &[(&[&str], &str)] = &[
        (&["dp3", "put", "net", "no.jsonl", "--workers", "2"], "cannot read no.jsonl"),
        (&["dp3", "check", "net", "--workers", "0"], "invalid value '0'"),
        (&["dp3", "check", "a b", "--workers", "1"], "app `a b`: a name has 1 to 200 bytes"),
        (&["dp3", "check", "net", "--workers", "1"], "no broker is named (hint: --broker amqp"),
        (&["dp3", "declare", "net"], "--workers <N>"),
        (&["dp3", "put", "net", "-", "--workers", "1", "--eid", "A=uuid"], "no kind of ids"),
        (
            &["dp3", "check", "net", "--workers", "1", "--broker", "redis://h"],
            "unknown scheme `redis` (known: amqp, amqps)",
        ),
        (&["dp3", "check", "net", "--workers", "1", "--server", "http://h"], "--broker URL"),
    ];
    for (arguments, message) in cases {
        place.run(arguments).exits(2).says(message);
    }
}

#[test]
#[ignore = "needs the server named by WAYSTATION_TEST_RABBITMQ"]
fn dp3_queues_are_declared_checked_and_deleted() {
    let application = Application::new();
    let (place, name) = (&application.place, application.name.as_str());
    let check = ["dp3", "check", name, "--workers", "2"];
    let seen = place.run(&check).exits(1);
    seen.says(&format!("exchange `{name}-control-exchange` is not declared"))
        .says(&format!("queue `{name}-worker-1-pri` is not declared"))
        .says("12 of 12 exchanges and queues are not declared (hint:");
    for _ in 0..2 {
        let seen = place.run(&["dp3", "declare", name, "--workers", "2"]).exits(0);
        assert_eq!(seen.stdout, format!("{name}: 4 exchanges and 9 queues are declared\n"));
    }
    place.run(&check).exits(0);
    let smaller = ["dp3", "declare", name, "--workers", "2", "--lane-limit", "5"];
    place.run(&smaller).exits(2).says("is there with other settings").says("--delete");
    let checked = place.run(&["dp3", "check", name, "--workers", "3", "--json"]).exits(1);
    assert_eq!(objects(&checked.stdout)[0]["missing"].as_array().map(Vec::len), Some(4));

    let task = r#"{"etype":"A","eid":1,"delete":true}"#;
    place.run_with(&["dp3", "put", name, "--workers", "2", "-"], task).exits(0);
    let delete = ["dp3", "declare", name, "--delete"];
    place.run(&delete).exits(1).says("is in use (messages: 1, consumers: 0)").says("--force");
    let seen = place.run(&[&delete[..], &["--force", "--json"]].concat()).exits(0);
    let told = &objects(&seen.stdout)[0];
    assert_eq!((told["deleted"].as_array().map(Vec::len), &told["messages"]), (Some(9), &json!(1)));
    place.run(&check).exits(1).says("12 of 12 exchanges and queues are not declared");
}

#[test]
#[ignore = "needs the server named by WAYSTATION_TEST_RABBITMQ"]
fn dp3_tasks_are_put_and_what_is_not_is_told_by_its_line() {
    let application = Application::new();
    let (place, name) = (&application.place, application.name.as_str());
    place.run(&["dp3", "declare", name, "--workers", "3", "--lane-limit", "2"]).exits(0);
    // By their hashes: workers 2, 0, 2, 2 of three.
    let lines: String = [("A", "1"), ("A", "2"), ("A", "1"), ("A", "1")]
        .map(|(etype, eid)| format!("{{\"etype\":\"{etype}\",\"eid\":{eid},\"delete\":true}}\n"))
        .concat();
    place.write("tasks.jsonl", &lines);
    let put = ["dp3", "put", name, "--workers", "3", "tasks.jsonl", "--timeout", "1"];
    let seen = place.run(&put).exits(1);
    seen.says("tasks.jsonl:4: the queue of worker 2 behind").says("is full").says("3 of 4 are put");
    let seen = place.run(&[&put[..], &["--priority", "--json"]].concat()).exits(0);
    let workers: Vec<_> = objects(&seen.stdout).iter().map(|one| one["worker"].clone()).collect();
    assert_eq!(workers, [0, 2, 2, 2]);

    let broadcast = ["dp3", "broadcast", name, "--workers", "3", "-", "--timeout", "1", "--json"];
    let seen = place.run_with(&broadcast, r#"{"etype":"A","eid":1,"delete":true}"#).exits(1);
    let told = &objects(&seen.stdout)[0];
    assert_eq!((&told["reached"], &told["missed"][0]["worker"]), (&json!([0, 1]), &json!(2)));
    let control = r#"{"action":"refresh_module_config","kwargs":{"module":"m"}}"#;
    let to_all = ["dp3", "broadcast", name, "--workers", "3", "--feed", "control", "-"];
    place.run_with(&to_all, control).exits(0);
}
