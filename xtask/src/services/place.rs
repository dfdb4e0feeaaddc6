//! Where the state of the services is: below `target/services` of the workspace.
//!
//! Always that folder, also when cargo builds elsewhere: the ports are there only once.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::command;

const INSTALL_MAX: Duration = Duration::from_secs(10);

/// The folder `target/services` of a workspace.
pub struct Place {
    root: PathBuf,
    folder: PathBuf,
}

impl Place {
    /// The place of the workspace at `root`; nothing is created.
    pub fn of(root: &Path) -> Self {
        Self { root: root.to_path_buf(), folder: root.join("target/services") }
    }

    /// Creates the folder, if it is missing.
    pub fn create(&self) -> anyhow::Result<()> {
        let shown = self.folder.display();
        fs::create_dir_all(&self.folder).with_context(|| format!("cannot create {shown}"))
    }

    /// A file of the workspace's sources.
    pub fn source(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A file of the place.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What the commands for this service wrote; the servers themselves log elsewhere.
    pub fn commands_log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}_commands.log"))
    }

    /// A folder for the service's own files, which belongs to `user`, who can reach it.
    pub fn home(&self, name: &str, user: &str) -> anyhow::Result<PathBuf> {
        let home = self.folder.join(name);
        let log = self.commands_log(name);
        let mut install = command::system("install");
        install.args(["-d", "-m", "750", "-o", user, "-g", user]).arg(&home);
        command::run(install, &log, INSTALL_MAX)?;
        let mut reach = command::system_as(user, "test");
        reach.arg("-w").arg(&home);
        command::run(reach, &log, INSTALL_MAX).with_context(|| {
            let shown = home.display();
            format!("user {user} cannot reach {shown}: allow it (`chmod a+x` on the folders above)")
        })?;
        Ok(home)
    }
}
