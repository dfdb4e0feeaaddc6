//! What cargo knows about the workspace, cut down to what the rules ask.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::cargo::{cargo, output};

/// A crate of the workspace.
#[derive(Debug, PartialEq)]
pub struct Package {
    pub name: String,
    /// Path of its `Cargo.toml` from the workspace's root, with `/` between folders.
    pub manifest: String,
    pub dependencies: Vec<Dependency>,
}

/// A dependency as a manifest states it, on one of our crates or on a foreign one.
#[derive(Debug, PartialEq)]
pub struct Dependency {
    pub name: String,
    /// The name that it goes by in the manifest.
    pub alias: String,
    pub kind: DependencyKind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DependencyKind {
    Normal,
    Build,
    Dev,
}

/// Asks cargo for the members of the workspace at `root`.
pub fn packages(root: &Path) -> anyhow::Result<Vec<Package>> {
    let mut metadata = cargo(root);
    metadata.args(["metadata", "--no-deps", "--format-version", "1"]);
    parse(&output(metadata)?).context("cannot read what `cargo metadata` printed")
}

fn parse(metadata: &str) -> anyhow::Result<Vec<Package>> {
    let metadata: Value = serde_json::from_str(metadata)?;
    let root = Path::new(text(&metadata, "workspace_root")?);
    list(&metadata, "packages")?.iter().map(|package| parse_package(root, package)).collect()
}

fn parse_package(root: &Path, package: &Value) -> anyhow::Result<Package> {
    let manifest = Path::new(text(package, "manifest_path")?);
    let manifest = manifest.strip_prefix(root).context("a member is outside the workspace")?;
    let folders: Vec<_> = manifest.iter().map(|part| part.to_string_lossy()).collect();
    Ok(Package {
        name: text(package, "name")?.to_owned(),
        manifest: folders.join("/"),
        dependencies: list(package, "dependencies")?
            .iter()
            .map(parse_dependency)
            .collect::<anyhow::Result<_>>()?,
    })
}

fn parse_dependency(dependency: &Value) -> anyhow::Result<Dependency> {
    let name = text(dependency, "name")?;
    Ok(Dependency {
        name: name.to_owned(),
        alias: dependency["rename"].as_str().unwrap_or(name).to_owned(),
        kind: match dependency["kind"].as_str() {
            Some("dev") => DependencyKind::Dev,
            Some("build") => DependencyKind::Build,
            _ => DependencyKind::Normal,
        },
    })
}

fn text<'a>(value: &'a Value, field: &str) -> anyhow::Result<&'a str> {
    value[field].as_str().with_context(|| format!("field `{field}` is not a string"))
}

fn list<'a>(value: &'a Value, field: &str) -> anyhow::Result<&'a [Value]> {
    let list = value[field].as_array().with_context(|| format!("field `{field}` is not a list"))?;
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::{Dependency, DependencyKind, Package, parse};

    fn dependency(name: &str, alias: &str, kind: DependencyKind) -> Dependency {
        Dependency { name: name.to_owned(), alias: alias.to_owned(), kind }
    }

    #[test]
    fn members_come_with_their_dependencies() {
        let metadata = r#"{
            "workspace_root": "/w",
            "packages": [{
                "name": "a",
                "manifest_path": "/w/crates/a/Cargo.toml",
                "dependencies": [
                    { "name": "b", "kind": null, "rename": null },
                    { "name": "c", "kind": "dev", "rename": "see" },
                    { "name": "d", "kind": "build" }
                ]
            }]
        }"#;
        let expected = Package {
            name: "a".to_owned(),
            manifest: "crates/a/Cargo.toml".to_owned(),
            dependencies: vec![
                dependency("b", "b", DependencyKind::Normal),
                dependency("c", "see", DependencyKind::Dev),
                dependency("d", "d", DependencyKind::Build),
            ],
        };
        assert_eq!(parse(metadata).unwrap(), [expected]);
    }

    #[test]
    fn missing_fields_are_named() {
        let error = parse(r#"{ "workspace_root": "/w" }"#).unwrap_err();
        assert_eq!(error.to_string(), "field `packages` is not a list");
    }
}
