//! `cargo xtask bench`: the pipeline benchmark of the façade crate.

use std::path::Path;

use crate::cargo::{cargo, run as run_command};

/// Runs the benchmark; `arguments` are the benchmark's own.
pub fn run(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    let mut bench = cargo(root);
    bench.args(["bench", "--package", "waystation", "--bench", "pipeline", "--"]).args(arguments);
    run_command(bench)
}
