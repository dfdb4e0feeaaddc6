//! Which Rust files the rules read.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

/// Every Rust file of the workspace, as paths from `root` with `/` between folders.
///
/// Git knows them best: tracked files and new ones, without what it ignores. Outside a repository
/// (a source archive) the folders are walked instead.
pub fn rust_files(root: &Path) -> anyhow::Result<Vec<String>> {
    if let Some(files) = git_files(root) {
        return Ok(files);
    }
    eprintln!("tidy: git lists no Rust files here; walking the folders instead");
    let mut files = Vec::new();
    walk(root, "", &mut files)?;
    Ok(files)
}

/// `None` when git is missing, when this is no repository, or when it is one around other files.
fn git_files(root: &Path) -> Option<Vec<String>> {
    let mut list = Command::new("git");
    list.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.rs"]);
    let output = list.current_dir(root).output().ok()?;
    let listed = String::from_utf8(output.stdout).ok()?;
    let names = listed.split_terminator('\0');
    // A file that was deleted and not yet committed is still listed.
    let files: Vec<_> = names.filter(|path| root.join(path).is_file()).map(str::to_owned).collect();
    (output.status.success() && !files.is_empty()).then_some(files)
}

/// Collects the Rust files below `folder`, which is empty or ends with `/`.
fn walk(root: &Path, folder: &str, files: &mut Vec<String>) -> anyhow::Result<()> {
    let entries = fs::read_dir(root.join(folder));
    for entry in entries.with_context(|| format!("cannot list the folder `{folder}`"))? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let kind = entry.file_type()?;
        if kind.is_dir() && !name.starts_with('.') && name != "target" {
            walk(root, &format!("{folder}{name}/"), files)?;
        } else if kind.is_file() && Path::new(&name).extension().is_some_and(|end| end == "rs") {
            files.push(format!("{folder}{name}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{env, fs, process};

    use super::walk;

    #[test]
    fn the_walk_passes_by_hidden_and_built_folders() {
        let root = env::temp_dir().join(format!("xtask-walk-{}", process::id()));
        for folder in ["src/deep", "target/debug", ".hidden"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in ["a.rs", "a.txt", "src/deep/b.rs", "target/debug/c.rs", ".hidden/d.rs"] {
            fs::write(root.join(file), "").unwrap();
        }
        let mut files = Vec::new();
        let walked = walk(&root, "", &mut files);
        fs::remove_dir_all(&root).unwrap();
        walked.unwrap();
        files.sort();
        assert_eq!(files, ["a.rs", "src/deep/b.rs"]);
    }
}
