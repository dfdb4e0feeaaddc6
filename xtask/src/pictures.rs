//! `cargo xtask pictures [SECONDS]`: the pictures of the dashboard in `docs/pictures/`.
//!
//! Serves the showcase for some time, so that there is something to see, then has Chromium look at
//! its pages: light and dark, wide and narrow.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use crate::cargo::{cargo, run as run_command};

/// How long the showcase runs before it is looked at.
const SECONDS: u64 = 300;
const EXAMPLE: [&str; 4] = ["--package", "waystation-server", "--example", "showcase"];
const BROWSER: &str = "chromium";

/// A picture: its name, the page, the window, and whether it is dark.
type Picture = (&'static str, &'static str, &'static str, bool);

/// `{job}` stands for a job that failed.
const PICTURES: [Picture; 9] = [
    ("overview", "/", "1440,1000", false),
    ("overview-dark", "/", "1440,1000", true),
    ("pipeline", "/pipelines/scans", "1440,800", false),
    ("job-dark", "/jobs/{job}", "1440,1100", true),
    ("jobs", "/jobs", "1440,900", false),
    ("inbox", "/inbox", "1440,950", false),
    ("workers", "/workers", "1440,700", false),
    ("audit", "/audit", "1440,800", false),
    ("jobs-phone", "/jobs", "500,1000", false),
];

/// Takes them.
pub fn run(root: &Path, arguments: &[String]) -> anyhow::Result<()> {
    let seconds = match arguments {
        [] => SECONDS,
        [seconds] => seconds.parse().with_context(|| format!("{seconds} is no number"))?,
        _ => bail!("usage: cargo xtask pictures [SECONDS]"),
    };
    let mut build = cargo(root);
    build.arg("build").args(EXAMPLE);
    run_command(build)?;
    let mut showcase = Showcase::start(root)?;
    eprintln!("xtask: {} runs for {seconds} s", showcase.address);
    std::thread::sleep(Duration::from_secs(seconds));
    let job = showcase.failed_job()?;
    let folder = root.join("docs/pictures");
    fs::create_dir_all(&folder)?;
    for (name, path, window, is_dark) in PICTURES {
        let url = format!("{}{}", showcase.address, path.replace("{job}", &job));
        take(&url, window, is_dark, &folder.join(format!("{name}.png")))?;
        eprintln!("xtask: docs/pictures/{name}.png");
    }
    showcase.end();
    Ok(())
}

fn take(url: &str, window: &str, is_dark: bool, file: &Path) -> anyhow::Result<()> {
    let mut browser = Command::new(BROWSER);
    browser.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]);
    browser.arg(format!("--window-size={window}"));
    browser.arg("--virtual-time-budget=3000");
    if is_dark {
        browser.arg("--blink-settings=preferredColorScheme=0");
    } else {
        browser.arg("--blink-settings=preferredColorScheme=1");
    }
    browser.arg(format!("--screenshot={}", file.display())).arg(url);
    browser.stdout(Stdio::null()).stderr(Stdio::null());
    let status = browser.status().with_context(|| format!("{BROWSER} cannot be started"))?;
    ensure!(status.success() && file.is_file(), "{BROWSER} took no picture of {url}");
    Ok(())
}

/// The showcase, until the value is dropped.
struct Showcase {
    process: Child,
    address: String,
}

impl Showcase {
    fn start(root: &Path) -> anyhow::Result<Self> {
        let mut command = cargo(root);
        command.args(["run", "--quiet"]).args(EXAMPLE).args(["--", "0"]);
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let said = process.stdout.take().context("its words are not heard")?;
        let mut address = String::new();
        BufReader::new(said).read_line(&mut address)?;
        Ok(Self { process, address: address.trim().to_owned() })
    }

    /// The id of a job that failed.
    fn failed_job(&self) -> anyhow::Result<String> {
        let host = self.address.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host)?;
        let path = "/api/v1/jobs?state=failed&limit=1";
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let behind = answer.split("\"job_id\":\"").nth(1).context("no job has failed yet")?;
        Ok(behind.split('"').next().unwrap_or_default().to_owned())
    }

    fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Showcase {
    fn drop(&mut self) {
        self.end();
    }
}
