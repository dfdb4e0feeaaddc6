//! `exec` on real programs.

use std::time::Duration;

use serde_json::{Value, json};
use waystation_core::event::Level;
use waystation_core::failure::ErrorKind;
use waystation_core::id::Label;

use crate::workbench::{Bench, once, worker};

/// No wait of a test is longer.
const WAIT_MAX: Duration = Duration::from_secs(20);

fn sh(script: &str) -> Value {
    json!({ "command": script })
}

#[tokio::test]
async fn contract_goes_in_and_the_last_line_comes_out() {
    let script = r#"read -r contract; echo note >&2; echo early; echo; echo "{\"got\":$contract}""#;
    let bench = Bench::new();
    let done = bench.run(&*worker("exec", sh(script)), json!({ "a": [1, "ž"] })).await;
    let done = done.expect("completed");
    assert_eq!(done.output["got"]["job_id"], "job-1");
    assert_eq!(done.output["got"]["params"], json!({ "a": [1, "ž"] }));
    let mut lines = bench.lines();
    lines.sort_by_key(|line| line.0);
    assert_eq!(lines, [(Level::Debug, "early".into()), (Level::Info, "note".into())]);
}

#[tokio::test]
async fn program_may_say_nothing_or_name_a_label() {
    assert_eq!(once("exec", sh("exit 0"), json!({})).await.expect("completed"), json!({}));
    let bench = Bench::new();
    let labelled = worker("exec", sh(r#"echo '{"$outcome":"ko","why":"blurred"}'"#));
    let done = bench.run(&*labelled, json!({})).await.expect("completed");
    assert_eq!((done.label, done.output.len()), (Label::from("ko"), 1));
}

#[tokio::test]
async fn ends_are_told_apart() {
    let cases = [
        ("exit 75", ErrorKind::Transient, "asks for a retry"),
        ("echo no disk >&2; exit 3", ErrorKind::Permanent, "ended with exit code 3: no disk"),
        ("kill -9 $$", ErrorKind::Error, "ended by signal 9"),
        ("echo nonsense", ErrorKind::Contract, "is not a JSON object"),
        ("echo '[1]'", ErrorKind::Contract, "is not a JSON object"),
        ("head -c 1100000 /dev/zero | tr '\\0' 'x'", ErrorKind::Contract, "longer than 1048576"),
    ];
    for (script, kind, part) in cases {
        let failure = once("exec", sh(script), json!({})).await.expect_err(script);
        assert_eq!(failure.kind, kind, "{script}: {failure}");
        assert!(failure.to_string().contains(part), "{script}: {failure}");
    }
}

#[tokio::test]
async fn program_that_is_not_there_is_named() {
    let absent = json!({ "command": ["/no/such/program", "x"] });
    let failure = once("exec", absent, json!({})).await.expect_err("absent");
    assert_eq!(failure.kind, ErrorKind::Permanent);
    assert!(failure.message.contains("cannot start `/no/such/program x`"), "{failure}");
}

#[tokio::test]
async fn settings_reach_the_program() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("here"), "").expect("a file");
    let settings = json!({
        "command": r#"test -e here && echo "[\"$MODE\",\"$WAYSTATION_IDEMPOTENCY_KEY\"]" |
                      sed 's/^/{"got":/; s/$/}/'"#,
        "directory": folder.path(),
        "environment": { "MODE": "fast" },
    });
    let output = once("exec", settings, json!({})).await.expect("completed");
    assert_eq!(output, json!({ "got": ["fast", "job-1/stage/1"] }));
}

#[tokio::test]
async fn cancelled_program_is_asked_to_end_and_killed_with_its_children_when_it_does_not() {
    // The child of the shell holds the pipe open; only killing the whole group ends it.
    let script =
        "trap '' TERM; sh -c 'trap \"\" TERM; while :; do sleep 1; done' & echo $! >&2; wait";
    let bench = Bench::new();
    let handler = worker("exec", sh(script));
    let child = {
        let run = bench.run(&*handler, json!({}));
        tokio::pin!(run);
        let started = async {
            loop {
                if let Some((_, line)) = bench.lines().first() {
                    return line.parse::<i32>().expect("a process id");
                }
                tokio::task::yield_now().await;
            }
        };
        let child = tokio::select! {
            child = started => child,
            _ = &mut run => panic!("it ended by itself"),
        };
        bench.cancellation.cancel();
        // Both ignore SIGTERM: it goes on until it is dropped, as after the grace period.
        let going_on = tokio::time::timeout(Duration::from_millis(200), &mut run).await;
        assert!(going_on.is_err());
        child
    };
    let gone = async {
        while is_alive(child) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WAIT_MAX, gone).await.expect("the child is killed as well");
}

#[tokio::test]
async fn cancelled_program_may_end_in_order() {
    let script = "trap 'exit 7' TERM; echo up >&2; while :; do sleep 0.01; done";
    let bench = Bench::new();
    let handler = worker("exec", sh(script));
    let run = bench.run(&*handler, json!({}));
    let cancel = async {
        while bench.lines().is_empty() {
            tokio::task::yield_now().await;
        }
        bench.cancellation.cancel();
    };
    let both = async { tokio::join!(run, cancel).0 };
    let failure = tokio::time::timeout(WAIT_MAX, both).await.expect("in time").expect_err("ended");
    assert!(failure.message.contains("exit code 7"), "{failure}");
}

/// A process that nobody waited for yet is dead as well.
fn is_alive(id: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = status.rsplit(')').next().unwrap_or_default().trim().chars().next();
    state.is_some_and(|state| state != 'Z' && state != 'X')
}
