//! The one command.

use std::process::Command;

use crate::site::Site;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs RabbitMQ, PostgreSQL, Redis and Python"]
async fn demo_completes_every_job_and_says_so() {
    let site = Site::new().await;
    let mut demo = Command::new(env!("CARGO_BIN_EXE_foreign-stage"));
    demo.args(["demo", "--jobs", "6"]).envs(site.places.ours()).envs(site.places.theirs());
    let output = tokio::task::spawn_blocking(move || demo.output()).await.expect("it is run");
    let output = output.expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    for part in ["6 of 6 jobs completed", "6 of 6 jobs are completed in the store, stage by stage"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    // A service that was away for a moment is shown, and does no harm.
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let row = said.lines().map(words).find(|row| row.get(1).is_some_and(|word| word == "img_005"));
    let row = row.expect("a row of the table");
    assert_eq!(row[2..], ["1", "2", "1", "completed"], "{said}");
}
