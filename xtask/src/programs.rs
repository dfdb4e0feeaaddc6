//! Programs that tests start themselves.
//!
//! Tests that need one have its name in theirs, and are left out without it, loudly. A build server
//! installs those that Debian has; where it cannot, the run goes on without them and says so.

use std::env;
use std::path::{Path, PathBuf};

use crate::services;

/// A program, and the Debian packages that bring it, where there are some.
struct Program {
    name: &'static str,
    packages: &'static [&'static str],
}

const ALL: &[Program] = &[
    Program { name: "chromedriver", packages: &["chromium", "chromium-driver"] },
    Program { name: "pgbouncer", packages: &["pgbouncer"] },
    Program { name: "promtool", packages: &["prometheus"] },
    Program { name: "schemathesis", packages: &[] },
    Program {
        name: "soffice",
        packages: &[
            "libreoffice-calc-nogui",
            "libreoffice-impress-nogui",
            "libreoffice-writer-nogui",
        ],
    },
    Program { name: "weed", packages: &[] },
];

/// Where programs of the system lie that are not in everybody's `PATH`.
const SYSTEM_PLACES: &[&str] = &["/usr/sbin", "/usr/local/sbin"];

/// The programs that are not there.
pub fn missing() -> impl Iterator<Item = &'static str> {
    ALL.iter().filter(|program| !is_installed(program.name)).map(|program| program.name)
}

/// Installs what is missing and can be had.
pub fn install(root: &Path) {
    let lacking = ALL.iter().filter(|program| !is_installed(program.name));
    let packages: Vec<&str> = lacking.flat_map(|program| program.packages).copied().collect();
    if packages.is_empty() {
        return;
    }
    if let Err(error) = services::install_packages(root, &packages) {
        eprintln!("xtask: tests that need these programs are left out: {error:#}");
    }
}

fn is_installed(program: &str) -> bool {
    // Where it is not among the others, `WAYSTATION_TEST_` and its name say where it is.
    let variable = format!("WAYSTATION_TEST_{}", program.to_uppercase());
    if env::var_os(variable).is_some_and(|value| !value.is_empty()) {
        return true;
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let places = env::split_paths(&path).chain(SYSTEM_PLACES.iter().map(PathBuf::from));
    places.map(|place| place.join(program)).any(|path| path.is_file())
}
