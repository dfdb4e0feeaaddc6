//! The Python side: its interpreter with what it needs, and its programs.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

/// Where the Python programs are.
pub const PROGRAMS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python");

const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/requirements.txt");

/// The interpreter of an environment with the required packages, which is made in cargo's target
/// folder when it is absent or has others. Waits for another process that makes it.
pub fn interpreter() -> anyhow::Result<PathBuf> {
    let wanted = fs::read_to_string(REQUIREMENTS).context(REQUIREMENTS)?;
    let folder = target_folder()?.join("foreign-stage-python");
    let lock = File::create(folder.with_extension("lock"))?;
    lock.lock()?;
    let python = folder.join("bin").join("python");
    let stamp = folder.join("requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(python);
    }
    eprintln!("making a Python environment in {}", folder.display());
    let environment = ["-m".as_ref(), "venv".as_ref(), "--clear".as_ref(), folder.as_os_str()];
    run("python3".as_ref(), &environment)?;
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
    let install = install.iter().map(OsStr::new).chain([REQUIREMENTS.as_ref()]);
    let install: Vec<&OsStr> = install.collect();
    run(&python, &install)?;
    fs::write(stamp, wanted)?;
    Ok(python)
}

/// Cargo marks its target folder so that backups pass it by.
fn target_folder() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let is_target = |folder: &&Path| folder.join("CACHEDIR.TAG").is_file();
    let folder = program.ancestors().find(is_target);
    let program = program.display();
    Ok(folder.with_context(|| format!("{program} is not in cargo's target folder"))?.to_owned())
}

fn run(program: &Path, arguments: &[&OsStr]) -> anyhow::Result<()> {
    let status = Command::new(program).args(arguments).status();
    let status = status.with_context(|| format!("cannot start {}", program.display()))?;
    ensure!(status.success(), "{} {arguments:?} ended with {status}", program.display());
    Ok(())
}
