//! A PostgreSQL cluster of a test's own, for what a shared server must not go through.

use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::{free_port, ids_of, is_root};

/// Starts and stops take this long at most.
const WAIT_SECONDS: &str = "60";
/// Where Debian and its kin keep the programs of each version.
const PLACES: &str = "/usr/lib/postgresql";
/// PostgreSQL does not run as root.
const OWNER: &str = "postgres";

/// A cluster. Ended, and removed, when it is dropped.
pub struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    /// Where it listens.
    pub port: u16,
}

impl Cluster {
    /// Makes a cluster and starts it with these settings, as `fsync=off`.
    pub fn start(settings: &[&str]) -> Self {
        let cluster = Self::prepare();
        cluster.run(settings);
        cluster
    }

    /// Makes a cluster that does not run yet, so that its folder may be added to.
    pub fn prepare() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let owner = is_root(folder.path()).then(|| ids_of(OWNER));
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group)).expect("root may give folders away");
        }
        let cluster = Self { folder, programs: programs(), owner, port: free_port() };
        let data = cluster.data();
        let data = data.to_str().expect("a plain path");
        cluster.program(
            "initdb",
            &["--auth=trust", "--username=test", "--encoding=UTF8", "--no-sync", "-D", data],
        );
        cluster
    }

    /// Starts it.
    pub fn run(&self, settings: &[&str]) {
        let mut options = format!(
            "-p {} -k {} -c listen_addresses=127.0.0.1",
            self.port,
            self.folder.path().display()
        );
        for setting in settings {
            options.push_str(" -c ");
            options.push_str(setting);
        }
        self.control("start", &["-o", &options]);
    }

    /// Kills its processes as a crash would, and starts it again.
    pub fn crash_and_restart(&self) {
        self.control("restart", &["-m", "immediate"]);
    }

    /// Its database, for somebody who needs no password.
    pub fn url(&self) -> String {
        format!("postgres://test@127.0.0.1:{}/postgres", self.port)
    }

    /// Its data.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Puts a file into its data that only it can read.
    pub fn add(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.data().join(name);
        std::fs::write(&path, text).expect("the folder is there");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("ours");
        if let Some((user, group)) = self.owner {
            chown(&path, Some(user), Some(group)).expect("root may give files away");
        }
    }

    fn control(&self, action: &str, arguments: &[&str]) {
        let (data, log) = (self.data(), self.folder.path().join("log"));
        let (data, log) = (data.to_str().expect("plain"), log.to_str().expect("plain"));
        let all = [&[action, "-D", data, "-l", log, "-w", "-t", WAIT_SECONDS, "-s"], arguments];
        self.program("pg_ctl", &all.concat());
    }

    fn program(&self, name: &str, arguments: &[&str]) {
        let mut command = Command::new(self.programs.join(name));
        command.args(arguments).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        let status = command.status().expect(name);
        let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        assert!(status.success(), "{name} {arguments:?}: {status}\n{log}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut command = Command::new(self.programs.join("pg_ctl"));
        command.args(["stop", "-m", "immediate", "-w", "-s", "-D"]).arg(self.data());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        let _ = command.stdin(Stdio::null()).current_dir("/").status();
    }
}

/// The programs of the newest version that is installed.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir(PLACES).into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|version| Path::new(PLACES).join(format!("{version}/bin/initdb")).exists())
        .max();
    let version = newest.unwrap_or_else(|| {
        panic!("no PostgreSQL server in {PLACES} (hint: apt-get install postgresql)")
    });
    Path::new(PLACES).join(format!("{version}/bin"))
}
