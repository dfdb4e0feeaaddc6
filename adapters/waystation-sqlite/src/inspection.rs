//! Looks at a file and its place before anybody relies on it. Nothing is changed there.

use std::path::{Path, PathBuf};

use waystation_core::port::{Error, Finding};

use crate::connection::layout_version;
use crate::options::{Options, Synchronous};

/// File systems that reach over a network: SQLite's write-ahead log needs memory that all who use
/// the file share, and locks that hold, which these do not give.
const NETWORKED: &[&str] = &[
    "9p",
    "afs",
    "ceph",
    "cifs",
    "fuse.glusterfs",
    "fuse.sshfs",
    "glusterfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "smb2",
    "smb3",
    "smbfs",
];
/// Below so much free space somebody should know.
const FREE_BYTES_MIN: u64 = 512 * 1024 * 1024;

/// Looks at the file: how safely it is written, where it lies, how much room is left, and which
/// layout it has.
pub fn inspect(options: &Options) -> Result<Vec<Finding>, Error> {
    let mut findings = vec![durability(options.synchronous)];
    let folder = folder_of(&options.path);
    let Ok(folder) = folder.canonicalize() else {
        let message = format!("there is no folder {}", folder.display());
        findings.push(Finding::refuse("folder", message, "make it, or name another file"));
        return Ok(findings);
    };
    findings.extend(file_system(&folder));
    findings.extend(room(&folder));
    findings.push(layout(options)?);
    Ok(findings)
}

fn folder_of(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new(".")).to_owned()
}

fn durability(synchronous: Synchronous) -> Finding {
    let message = match synchronous {
        Synchronous::Full => "synchronous=full: what was acknowledged survives a loss of power",
        Synchronous::Normal => {
            "synchronous=normal: a loss of power may lose the last commits, the end of the process \
             loses nothing"
        }
    };
    Finding::fine("synchronous", message)
}

/// What kind of file system the folder is on, where the system tells.
fn file_system(folder: &Path) -> Option<Finding> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let kind = kind_of(&mounts, folder)?;
    if NETWORKED.contains(&kind) {
        let message = format!(
            "{} is on {kind}, a network file system: the file would be damaged by processes on \
             two machines",
            folder.display()
        );
        let hint = "name a file on a disk of this machine, or use postgres://";
        return Some(Finding::refuse("file system", message, hint));
    }
    Some(Finding::fine("file system", format!("{} is on {kind}", folder.display())))
}

/// The kind of the mount that a path lies on: the last one of those that are nearest to it.
fn kind_of<'a>(mounts: &'a str, path: &Path) -> Option<&'a str> {
    let mount = |line: &'a str| {
        let (place, source) = line.split_once(" - ")?;
        let point = place.split(' ').nth(4)?.replace("\\040", " ");
        let depth = Path::new(&point).components().count();
        path.starts_with(&point).then_some((depth, source.split(' ').next()?))
    };
    mounts.lines().filter_map(mount).max_by_key(|(depth, _)| *depth).map(|(_, kind)| kind)
}

/// How much room is left, where the system tells.
fn room(folder: &Path) -> Option<Finding> {
    #[cfg(unix)]
    {
        let status = rustix::fs::statvfs(folder).ok()?;
        Some(free_space(status.f_bavail.saturating_mul(status.f_frsize)))
    }
    #[cfg(not(unix))]
    {
        let _ = folder;
        None
    }
}

fn free_space(bytes: u64) -> Finding {
    let megabytes = bytes / 1_000_000;
    let message = format!("{megabytes} MB are free on the disk");
    if bytes < FREE_BYTES_MIN {
        let hint = "make room: on a full disk nothing is lost, and nothing goes on";
        return Finding::warn("disk", message, hint);
    }
    Finding::fine("disk", message)
}

fn layout(options: &Options) -> Result<Finding, Error> {
    let shown = options.path.display();
    if !options.path.exists() {
        let message = format!("no file {shown} yet: it is made at the first start");
        return Ok(Finding::fine("file", message));
    }
    let (found, known) = match layout_version(options) {
        Ok(versions) => versions,
        Err(error @ (Error::Broken { .. } | Error::NewerVersion { .. })) => {
            return Ok(Finding::refuse("file", error.to_string(), "name another file"));
        }
        Err(error) => return Err(error),
    };
    let later = if found < known { ", brought up to date at the next start" } else { "" };
    Ok(Finding::fine("file", format!("{shown}, version {found} of {known}{later}")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use waystation_core::port::{Finding, Severity};

    use super::{free_space, inspect, kind_of};
    use crate::{Options, Synchronous};

    const MOUNTS: &str = "\
        22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n\
        30 22 0:40 / /mnt/the\\040share rw - nfs4 server:/share rw\n\
        31 22 0:41 / /mnt rw - tmpfs tmpfs rw\n";

    #[test]
    fn the_nearest_mount_tells_the_kind() {
        for (path, kind) in
            [("/mnt/the share/jobs", "nfs4"), ("/mnt/the shares", "tmpfs"), ("/home/me", "ext4")]
        {
            assert_eq!(kind_of(MOUNTS, Path::new(path)), Some(kind), "{path}");
        }
    }

    #[test]
    fn little_room_is_told() {
        assert_eq!(free_space(100_000_000).severity, Severity::Warn);
        assert_eq!(free_space(10_000_000_000).severity, Severity::Fine);
    }

    #[test]
    fn strange_files_and_absent_folders_are_refused_and_left_as_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("letter.txt");
        std::fs::write(&path, "Dear reader, this is by no means a database.").expect("written");
        for (path, part) in
            [(path, "not a database"), (folder.path().join("no/jobs.db"), "there is no folder")]
        {
            let findings = inspect(&Options::new(&path)).expect("it can be looked at");
            let refused = findings.iter().find(|finding| finding.refuses()).expect("refused");
            assert!(refused.message.contains(part), "{refused}");
        }
    }

    #[test]
    fn file_that_is_not_there_yet_is_fine_and_is_not_made() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut options = Options::new(folder.path().join("jobs.db"));
        options.synchronous = Synchronous::Normal;
        let findings = inspect(&options).expect("it can be looked at");
        assert!(!findings.iter().any(Finding::refuses), "{findings:?}");
        assert!(findings[0].message.contains("synchronous=normal"), "{findings:?}");
        assert!(!options.path.exists());
    }
}
