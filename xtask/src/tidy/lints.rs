//! Lints are decided once, in the root manifest: every member takes them, `unsafe` is forbidden.
//!
//! Manifests are read line by line; cargo has already parsed them by the time that this runs.

use super::Violation;

/// Reports a workspace manifest that does not forbid `unsafe`.
pub fn check_root(path: &str, manifest: &str) -> Vec<Violation> {
    let forbids = |value: &str| value == r#""forbid""# || value.contains(r#"level = "forbid""#);
    if values(manifest, "workspace.lints.rust", "unsafe_code").any(forbids) {
        return Vec::new();
    }
    let message = r#"the workspace needs `unsafe_code = "forbid"` under `[workspace.lints.rust]`"#;
    vec![Violation::new(path, 1, message)]
}

/// Reports a member's manifest that does not take the workspace's lints.
pub fn check_member(path: &str, manifest: &str) -> Vec<Violation> {
    let takes = |value: &str| value == "true";
    if values(manifest, "lints", "workspace").any(takes) {
        return Vec::new();
    }
    vec![Violation::new(path, 1, "the crate needs `workspace = true` under `[lints]`")]
}

/// The values of `key` in `[section]`, also when written as `section.key` at the top.
fn values<'a>(manifest: &'a str, section: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    let mut current = "";
    manifest.lines().filter_map(move |line| {
        let line = line.split_once(" #").map_or(line, |(before, _comment)| before).trim();
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = name.trim();
            return None;
        }
        let (name, value) = line.split_once('=')?;
        let name = name.trim();
        let dotted = name.strip_prefix(section).and_then(|rest| rest.strip_prefix('.'));
        let found =
            (current == section && name == key) || (current.is_empty() && dotted == Some(key));
        found.then_some(value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::{check_member, check_root};
    use crate::tidy::expect;

    #[test]
    fn a_member_that_takes_the_lints_passes() {
        for manifest in [
            "[package]\nname = \"a\"\n\n[lints]\nworkspace = true # All of them.\n",
            "lints.workspace = true\n\n[package]\nname = \"a\"\n",
        ] {
            expect(&check_member("a/Cargo.toml", manifest), &[]);
        }
    }

    #[test]
    fn a_member_that_does_not_take_the_lints_is_reported() {
        let expected = "a/Cargo.toml:1: the crate needs `workspace = true` under `[lints]`";
        for manifest in [
            "[package]\nname = \"a\"\n",
            "[lints]\nworkspace = false\n",
            "[lints]\n# workspace = true\n",
            "[lints]\n\n[dependencies.a]\nworkspace = true\n",
        ] {
            expect(&check_member("a/Cargo.toml", manifest), &[expected]);
        }
    }

    #[test]
    fn a_workspace_that_forbids_unsafe_passes() {
        for level in [r#""forbid""#, r#"{ level = "forbid", priority = 1 }"#] {
            let manifest = format!("[workspace.lints.rust]\nunsafe_code = {level}\n");
            expect(&check_root("Cargo.toml", &manifest), &[]);
        }
    }

    #[test]
    fn a_workspace_that_does_not_forbid_unsafe_is_reported() {
        let expected = "Cargo.toml:1: the workspace needs `unsafe_code = \"forbid\"` \
                        under `[workspace.lints.rust]`";
        for manifest in [
            "[workspace]\n",
            "[workspace.lints.rust]\nunsafe_code = \"deny\"\n",
            "[workspace.lints.clippy]\nunsafe_code = \"forbid\"\n",
        ] {
            expect(&check_root("Cargo.toml", manifest), &[expected]);
        }
    }
}
