use super::check;
use crate::tidy::expect;
use crate::tidy::workspace::{Dependency, DependencyKind, Package};
use DependencyKind::{Build, Dev, Normal};

/// Every layer once, as a name and its folder.
const MEMBERS: &[(&str, &str)] = &[
    ("waystation-core", "crates"),
    ("waystation-engine", "crates"),
    ("waystation-executors", "crates"),
    ("waystation-server", "crates"),
    ("waystation-testing", "crates"),
    ("waystation-memory", "adapters"),
    ("waystation-sqlite", "adapters"),
    ("waystation", "crates"),
    ("scans", "apps"),
    ("xtask", "."),
];

fn package(name: &str) -> Package {
    let known = MEMBERS.iter().find(|(member, _)| *member == name);
    let folder = known.map_or("crates", |(_, folder)| folder);
    let manifest = format!("{folder}/{name}/Cargo.toml");
    Package { name: name.to_owned(), manifest, dependencies: Vec::new() }
}

/// The messages about `from` when it depends on `to`.
fn messages(from: &str, to: &str, kind: DependencyKind) -> Vec<String> {
    let members: Vec<Package> = MEMBERS.iter().map(|(name, _)| package(name)).collect();
    let dependency = Dependency { name: to.to_owned(), alias: to.to_owned(), kind };
    let from = Package { dependencies: vec![dependency], ..package(from) };
    check(&from, "", &members).into_iter().map(|violation| violation.message).collect()
}

/// The layers that `from` may depend on in this way, found by trying all of them.
fn allowed(from: &str, kind: DependencyKind) -> Vec<&'static str> {
    let others = MEMBERS.iter().map(|(name, _)| *name).filter(|name| *name != from);
    others.filter(|to| messages(from, to, kind).is_empty()).collect()
}

#[test]
fn the_arrows_are_these_and_no_others() {
    let cases: &[(&str, &[&str])] = &[
        ("waystation-core", &[]),
        ("waystation-engine", &["waystation-core"]),
        ("waystation-executors", &["waystation-core"]),
        ("waystation-server", &["waystation-core", "waystation-engine"]),
        ("waystation-testing", &["waystation-core"]),
        ("waystation-memory", &["waystation-core"]),
        ("waystation-sqlite", &["waystation-core"]),
        (
            "waystation",
            &[
                "waystation-core",
                "waystation-engine",
                "waystation-executors",
                "waystation-server",
                "waystation-testing",
                "waystation-memory",
                "waystation-sqlite",
            ],
        ),
        ("scans", &["waystation"]),
        ("xtask", &[]),
    ];
    for (from, expected) in cases {
        assert_eq!(allowed(from, Normal), *expected, "{from}");
        assert_eq!(allowed(from, Build), *expected, "the build script of {from}");
    }
}

#[test]
fn tests_may_also_use_the_test_kit_and_the_memory_adapter() {
    let core = "waystation-core";
    let (kit, memory) = ("waystation-testing", "waystation-memory");
    assert_eq!(allowed("waystation-engine", Dev), [core, kit, memory]);
    assert_eq!(allowed("waystation-sqlite", Dev), [core, kit, memory]);
    assert_eq!(allowed("waystation-core", Dev), [kit, memory]);
    assert_eq!(allowed("scans", Dev), [kit, memory, "waystation"]);
}

#[test]
fn the_facades_tests_may_use_anything() {
    assert_eq!(allowed("waystation", Dev).len(), MEMBERS.len() - 1);
}

#[test]
fn foreign_crates_are_no_arrows() {
    assert!(messages("waystation-core", "serde", Normal).is_empty());
}

#[test]
fn a_crate_may_name_itself_in_its_tests() {
    assert!(messages("waystation-core", "waystation-core", Dev).is_empty());
}

#[test]
fn messages_say_what_would_be_allowed() {
    assert_eq!(
        messages("waystation-core", "waystation-engine", Normal),
        ["waystation-core must not use waystation-engine; Core may use nothing"]
    );
    assert_eq!(
        messages("waystation-engine", "waystation-sqlite", Dev),
        ["waystation-engine must not use waystation-sqlite in its tests; \
          Engine may use Core, Testing, Memory"]
    );
}

#[test]
fn a_crate_without_a_row_is_reported() {
    let expected = "crates/waystation-types/Cargo.toml:1: crate waystation-types has no row in \
                    the table of xtask/src/tidy/arrow_table.rs";
    expect(&check(&package("waystation-types"), "", &[]), &[expected]);
}

#[test]
fn the_line_is_that_of_the_dependency() {
    let members = [package("waystation-engine"), package("waystation-sqlite")];
    let dependency = |alias: &str, kind| Dependency {
        name: "waystation-sqlite".to_owned(),
        alias: alias.to_owned(),
        kind,
    };
    let manifest = "\
[package]
name = \"waystation-engine\"

[dependencies]
waystation-sqlite.workspace = true

[dev-dependencies]
waystation-sqlite-extra = \"1\"
waystation-sqlite = { path = \"../a\" }

[target.'cfg(unix)'.build-dependencies]
store = { package = \"waystation-sqlite\", path = \"../a\" }

[dependencies.late]
package = \"waystation-sqlite\"
";
    let cases = [
        (dependency("waystation-sqlite", Normal), 5),
        (dependency("waystation-sqlite", Dev), 9),
        (dependency("store", Build), 12),
        (dependency("late", Normal), 14),
        (dependency("elsewhere", Normal), 1),
    ];
    for (dependency, expected) in cases {
        let from = Package { dependencies: vec![dependency], ..package("waystation-engine") };
        let lines: Vec<usize> = check(&from, manifest, &members).iter().map(|v| v.line).collect();
        assert_eq!(lines, [expected]);
    }
}
