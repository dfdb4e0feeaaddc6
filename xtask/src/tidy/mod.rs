//! `cargo xtask tidy`: the project's rules that neither rustfmt nor clippy knows.
//!
//! A rule is a pure function from a text to its violations, one file each; this file feeds them.

mod arrow_table;
mod arrows;
mod code;
mod columns;
mod crate_docs;
mod file_length;
mod files;
mod function_length;
mod lints;
mod words;
mod workspace;

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

use workspace::Package;

/// A rule broken at a place; shown as `path:line: message`, which editors make a link of.
#[derive(Debug, PartialEq)]
pub struct Violation {
    path: String,
    line: usize,
    message: String,
}

type Rule = fn(path: &str, text: &str) -> Vec<Violation>;

const RULES_FOR_RUST: &[Rule] =
    &[columns::check, crate_docs::check, file_length::check, function_length::check, words::check];

/// Checks every rule, prints all violations to stdout and fails if there was one.
pub fn run(root: &Path) -> anyhow::Result<()> {
    let packages = workspace::packages(root)?;
    let mut violations = check_manifests(root, &packages)?;
    violations.extend(check_sources(root)?);
    violations.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    for violation in &violations {
        println!("{violation}");
    }
    ensure!(violations.is_empty(), "violations of the tidy rules: {}", violations.len());
    Ok(())
}

fn check_manifests(root: &Path, packages: &[Package]) -> anyhow::Result<Vec<Violation>> {
    let mut violations = lints::check_root("Cargo.toml", &read(root, "Cargo.toml")?);
    for package in packages {
        let manifest = read(root, &package.manifest)?;
        violations.extend(lints::check_member(&package.manifest, &manifest));
        violations.extend(arrows::check(package, &manifest, packages));
    }
    Ok(violations)
}

fn check_sources(root: &Path) -> anyhow::Result<Vec<Violation>> {
    let mut violations = Vec::new();
    for path in files::rust_files(root)? {
        let text = read(root, &path)?;
        violations.extend(RULES_FOR_RUST.iter().flat_map(|rule| rule(&path, &text)));
    }
    Ok(violations)
}

fn read(root: &Path, path: &str) -> anyhow::Result<String> {
    fs::read_to_string(root.join(path)).with_context(|| format!("cannot read {path}"))
}

impl Violation {
    fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Compares what a rule found with what it should find, both as `path:line: message`.
#[cfg(test)]
#[track_caller]
fn expect(found: &[Violation], expected: &[&str]) {
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}
