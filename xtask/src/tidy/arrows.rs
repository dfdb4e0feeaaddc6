//! Crates depend on each other only along the arrows of `arrow_table.rs`.

use super::Violation;
use super::arrow_table::{Members, Row, TABLE, TESTS_MAY_USE, TESTS_MAY_USE_ANYTHING};
use super::workspace::{Dependency, DependencyKind, Package};

/// Reports the package's dependencies on other `members` that have no arrow.
pub fn check(package: &Package, manifest: &str, members: &[Package]) -> Vec<Violation> {
    let Some(row) = row_of(package) else {
        return vec![Violation::new(&package.manifest, 1, message_without_row(&package.name))];
    };
    let mut violations = Vec::new();
    for dependency in &package.dependencies {
        let ours = members.iter().find(|member| member.name == dependency.name);
        // A dependency without a row is reported as a package of its own.
        let Some(target) = ours.and_then(row_of) else {
            continue;
        };
        if dependency.name == package.name || is_allowed(row, target, dependency.kind) {
            continue;
        }
        let line = line_of(dependency, manifest);
        let message = message_without_arrow(row, package, dependency);
        violations.push(Violation::new(&package.manifest, line, message));
    }
    violations
}

fn row_of(package: &Package) -> Option<&'static Row> {
    TABLE.iter().find(|(_, members, _)| match members {
        Members::Named(name) => package.name == *name,
        Members::Folder(folder) => package.manifest.split('/').next() == Some(folder),
    })
}

fn is_allowed((from, _, uses): &Row, (to, _, _): &Row, kind: DependencyKind) -> bool {
    let allowed_in_tests = TESTS_MAY_USE.contains(to) || TESTS_MAY_USE_ANYTHING.contains(from);
    uses.contains(to) || (kind == DependencyKind::Dev && allowed_in_tests)
}

fn message_without_row(name: &str) -> String {
    format!("crate {name} has no row in the table of xtask/src/tidy/arrow_table.rs")
}

fn message_without_arrow(row: &Row, package: &Package, dependency: &Dependency) -> String {
    let (layer, _, uses) = row;
    let in_tests = match dependency.kind {
        DependencyKind::Dev => " in its tests",
        DependencyKind::Normal | DependencyKind::Build => "",
    };
    let mut allowed: Vec<String> = uses.iter().map(|layer| format!("{layer:?}")).collect();
    if dependency.kind == DependencyKind::Dev {
        allowed.extend(TESTS_MAY_USE.iter().map(|layer| format!("{layer:?}")));
    }
    let allowed = if allowed.is_empty() { "nothing".to_owned() } else { allowed.join(", ") };
    let (name, other) = (&package.name, &dependency.name);
    format!("{name} must not use {other}{in_tests}; {layer:?} may use {allowed}")
}

/// The manifest's line that states the dependency; its first line if that is not found.
fn line_of(dependency: &Dependency, manifest: &str) -> usize {
    let section = match dependency.kind {
        DependencyKind::Normal => "dependencies",
        DependencyKind::Build => "build-dependencies",
        DependencyKind::Dev => "dev-dependencies",
    };
    let alias = dependency.alias.as_str();
    let mut in_section = false;
    for (index, line) in manifest.lines().enumerate() {
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            let mut path = header.rsplit('.');
            let last = path.next();
            in_section = last == Some(section);
            if last == Some(alias) && path.next() == Some(section) {
                return index + 1;
            }
        } else if in_section && line.split(['=', '.', ' ']).next() == Some(alias) {
            return index + 1;
        }
    }
    1
}

#[cfg(test)]
mod tests;
