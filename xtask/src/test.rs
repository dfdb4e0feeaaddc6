//! `cargo xtask test`: the whole gate.
//!
//! Steps run from cheap to dear and the first failure ends the run. The tests come last, so that
//! the runner's summary stands at the end of the output.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::backends::{self, Backends};
use crate::cargo::{cargo, has_subcommand, run as run_command};
use crate::{programs, services, tidy};

/// Runs every step of the gate; `arguments` go to the test runner.
pub fn run(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    let start = Instant::now();
    let has_deny = has_subcommand(root, "deny");
    let required = backends::required()?;
    if !required.is_empty() {
        step("services", || services::up(root, &required))?;
        programs::install(root);
    }
    step("format", || check_format(root))?;
    step("tidy", || tidy::run(root))?;
    if has_deny {
        step("dependencies", || check_dependencies(root))?;
    }
    step("clippy", || check_clippy(root))?;
    step("doctests", || run_doctests(root))?;
    let backends = Backends::look(root);
    let tests = step("tests", || run_tests(root, &backends, arguments));
    backends.tell_untested();
    tests?;
    if !has_deny {
        eprintln!("xtask: SKIPPED dependencies: licences, bans and sources are not checked");
        eprintln!("hint: cargo install --locked cargo-deny");
    }
    eprintln!("xtask: the gate passed in {}", seconds(start.elapsed()));
    Ok(())
}

fn step(name: &str, action: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    eprintln!("xtask: {name}");
    let start = Instant::now();
    let result = action();
    let took = seconds(start.elapsed());
    if result.is_ok() {
        eprintln!("xtask: {name} passed in {took}");
    }
    result.with_context(|| format!("step {name} failed after {took}"))
}

fn check_format(root: &Path) -> anyhow::Result<()> {
    let mut format = cargo(root);
    format.args(["fmt", "--all", "--check"]);
    run_command(format)
}

/// Checks licences, duplicate crates and sources.
///
/// Advisories are left out: they need a download, and would fail a commit for what others found.
fn check_dependencies(root: &Path) -> anyhow::Result<()> {
    let mut deny = cargo(root);
    deny.args(["deny", "check", "licenses", "bans", "sources"]);
    run_command(deny)
}

fn check_clippy(root: &Path) -> anyhow::Result<()> {
    let mut clippy = cargo(root);
    clippy.args(["clippy", "--workspace", "--all-targets", "--all-features"]);
    clippy.args(["--", "-D", "warnings"]);
    run_command(clippy)
}

fn run_doctests(root: &Path) -> anyhow::Result<()> {
    let mut doctests = cargo(root);
    doctests.args(["test", "--workspace", "--all-features", "--doc"]);
    run_command(doctests)
}

fn run_tests(root: &Path, backends: &Backends, arguments: &[String]) -> anyhow::Result<()> {
    let mut tests = cargo(root);
    let has_nextest = has_subcommand(root, "nextest");
    if has_nextest {
        tests.args(["nextest", "run", "--workspace", "--all-features"]);
    } else {
        eprintln!("xtask: FALLING BACK to cargo test: no limit on a test's time, no test groups");
        eprintln!("hint: cargo install --locked cargo-nextest");
        tests.args(["test", "--workspace", "--all-features", "--lib", "--bins", "--tests"]);
    }
    backends.pass_to(&mut tests);
    programs::pass_to(&mut tests, root);
    // Tests that need a server are ignored where there may be none.
    let with_ignored = backends.are_all_there();
    if with_ignored && has_nextest {
        tests.args(["--run-ignored", "all"]);
    }
    tests.args(arguments);
    let skipped = backends.tests_to_skip().flat_map(|name| ["--skip", name]);
    let included = (with_ignored && !has_nextest).then_some("--include-ignored");
    let to_the_tests: Vec<&str> = included.into_iter().chain(skipped).collect();
    if !to_the_tests.is_empty() && !arguments.iter().any(|argument| argument == "--") {
        tests.arg("--");
    }
    tests.args(to_the_tests);
    run_command(tests)
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
