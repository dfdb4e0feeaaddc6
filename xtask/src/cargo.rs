//! Calls to cargo: where the workspace is, and commands that run in its root.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

/// The folder of the workspace's `Cargo.toml`, found upwards from the current folder.
pub fn workspace_root() -> anyhow::Result<PathBuf> {
    let mut locate = cargo(Path::new("."));
    locate.args(["locate-project", "--workspace", "--message-format", "plain"]);
    let manifest = PathBuf::from(output(locate)?.trim_end());
    let root = manifest.parent().context("cargo located a manifest without a folder")?;
    Ok(root.to_path_buf())
}

/// A cargo command that will run in `root`.
///
/// What the outer `cargo run` tells about the package `xtask` is taken away: build scripts that
/// watch such variables (`ring` has one) would be rebuilt at every turn between `cargo xtask` and
/// plain `cargo`.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os().filter(|(name, _)| describes_package(name)) {
        command.env_remove(name);
    }
    command.current_dir(root);
    command
}

/// Runs the command to its end, its output going where ours goes.
pub fn run(mut command: Command) -> anyhow::Result<()> {
    let shown = shown(&command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    ensure!(status.success(), "`{shown}` ended with {status}");
    Ok(())
}

/// Runs the command and returns what it wrote to stdout.
pub fn output(mut command: Command) -> anyhow::Result<String> {
    let shown = shown(&command);
    let output = command.output().with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` ended with {}: {}", output.status, stderr.trim_end());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` did not write UTF-8"))
}

/// Whether cargo has this subcommand.
pub fn has_subcommand(root: &Path, subcommand: &str) -> bool {
    let mut command = cargo(root);
    command.args([subcommand, "--version"]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn describes_package(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

/// The command as one would type it; `cargo` without the path of the toolchain's binary.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_default();
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
