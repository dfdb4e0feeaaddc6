//! Where services can be installed and started: Debian, as root, without systemd.

use std::fs;
use std::path::Path;

use anyhow::bail;

use super::Service;

/// Fails on a machine where the services cannot be managed, and says what else would give them.
pub fn check(services: &[&Service]) -> anyhow::Result<()> {
    let Some(obstacle) = found() else { return Ok(()) };
    let names: Vec<&str> = services.iter().map(|service| service.name).collect();
    let names = names.join(" ");
    bail!(
        "cannot manage {names} here: {obstacle}\n\
         hint: compose.yaml gives the same: `docker compose up --wait {names}`, and \
         `docker compose down`"
    )
}

/// Fails on a machine where packages cannot be installed.
pub fn check_can_install() -> anyhow::Result<()> {
    match found() {
        Some(obstacle) => bail!("packages cannot be installed here: {obstacle}"),
        None => Ok(()),
    }
}

/// What speaks against it here.
fn found() -> Option<String> {
    let os_release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let process = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let systemd = Path::new("/run/systemd/system").is_dir();
    obstacle(&os_release, &process, systemd)
}

/// What speaks against it, from `os-release`, `/proc/self/status` and whether systemd runs.
fn obstacle(os_release: &str, process: &str, systemd: bool) -> Option<String> {
    if !is_debian(os_release) {
        return Some("this is not Debian".to_owned());
    }
    match effective_user(process) {
        Some(0) => {}
        Some(user) => return Some(format!("only root can, this is user {user}")),
        None => return Some("only root can, and /proc does not tell who this is".to_owned()),
    }
    systemd.then(|| "systemd runs, and would start the packages' servers itself".to_owned())
}

/// Debian, or a system made from it that has the same packages.
fn is_debian(os_release: &str) -> bool {
    let values = os_release.lines().filter_map(|line| line.split_once('='));
    let mut names = values.filter(|(key, _)| matches!(*key, "ID" | "ID_LIKE"));
    names.any(|(_, value)| value.trim_matches(['"', '\'']).split(' ').any(|name| name == "debian"))
}

/// The line is `Uid:` with the real, effective, saved and file system user.
fn effective_user(process: &str) -> Option<u32> {
    let line = process.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::obstacle;

    const DEBIAN: &str = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=debian\n";
    const ROOT: &str = "Name:\txtask\nUid:\t0\t0\t0\t0\n";

    #[test]
    fn debian_and_its_children_are_fine() {
        for os_release in [DEBIAN, "ID=\"debian\"", "ID=ubuntu\nID_LIKE=debian\n"] {
            assert_eq!(obstacle(os_release, ROOT, false), None, "{os_release}");
        }
        let mint = "ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n";
        assert_eq!(obstacle(mint, ROOT, false), None);
    }

    #[test]
    fn each_obstacle_is_named() {
        let user = "Uid:\t0\t1000\t0\t0\n";
        let cases = [
            ("ID=fedora\nVARIANT_ID=debian\n", ROOT, false, "this is not Debian"),
            ("", "", false, "this is not Debian"),
            (DEBIAN, user, false, "only root can, this is user 1000"),
            (DEBIAN, "", false, "only root can, and /proc does not tell who this is"),
            (DEBIAN, ROOT, true, "systemd runs, and would start the packages' servers itself"),
        ];
        for (os_release, process, systemd, expected) in cases {
            let found = obstacle(os_release, process, systemd);
            assert_eq!(found.as_deref(), Some(expected), "{os_release}");
        }
    }
}
