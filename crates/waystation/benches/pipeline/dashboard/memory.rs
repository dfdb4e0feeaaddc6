//! What the processes of a browser hold, as Linux tells it.

use std::fs;
use std::path::Path;

/// What is no part of the browser among the processes of its group.
const ATTENDANTS: [&str; 3] = ["sh", "cat", "chromedriver"];
/// Renderers that show no tab, but parts of the browser's own.
const OF_ITS_OWN: &str = "--top-chrome-webui";

/// A browser's memory at a moment, in MB. Pages that several processes share count for each by its
/// share (PSS).
#[derive(Clone, Copy, Default)]
pub struct Memory {
    /// What the process holds that shows the tab: the largest of those that may be it.
    pub tab: f64,
    /// What all processes hold, the browser's own and the helpers with it.
    pub browser: f64,
}

impl Memory {
    /// What the processes of this group hold now.
    pub fn of_group(group: u32) -> std::io::Result<Self> {
        let mut memory = Self::default();
        for entry in fs::read_dir("/proc")? {
            let process = entry?.path();
            // A process that ends meanwhile holds nothing.
            let Some((command, megabytes)) = look(&process, group) else { continue };
            memory.browser += megabytes;
            if command.contains("--type=renderer") && !command.contains(OF_ITS_OWN) {
                memory.tab = memory.tab.max(megabytes);
            }
        }
        Ok(memory)
    }
}

/// The command line of a process and what it holds, if it is one of the browser's.
fn look(process: &Path, group: u32) -> Option<(String, f64)> {
    let stat = fs::read_to_string(process.join("stat")).ok()?;
    // Behind the name in brackets: state, parent, group.
    let its_group = stat.rsplit(')').next()?.split_whitespace().nth(2)?;
    if its_group.parse() != Ok(group) {
        return None;
    }
    let command = fs::read_to_string(process.join("cmdline")).ok()?;
    let program = Path::new(command.split('\0').next()?).file_name()?.to_str()?;
    if ATTENDANTS.contains(&program) {
        return None;
    }
    let rollup = fs::read_to_string(process.join("smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some((command, kibibytes * 1024.0 / 1e6))
}
