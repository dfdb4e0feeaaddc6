//! The dashboard over a long history on SQLite, while jobs run: what its pages take, and what a
//! browser's tab takes that stays open.

mod memory;
mod pages;
mod site;
mod tab;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Looks at the pages, and prints how long they took.
pub fn look_at_pages(jobs: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = format!("sqlite://{}", folder.path().join("history.db").display());
    let report = pages::measure(jobs, &store)?;
    println!(
        "dashboard on sqlite: {jobs} jobs of history (made in {:.0} s), {:.0} jobs/s end meanwhile",
        report.history_seconds, report.jobs_per_second
    );
    for (path, took) in &report.pages {
        let (half, most) = (took.percentile(0.50), took.percentile(0.99));
        println!("  p50 {half:>7.1} ms  p99 {most:>7.1} ms  {path}");
    }
    Ok(())
}

/// Leaves a tab open on each of some pages for so many minutes, and prints what it took.
pub fn leave_a_tab_open(jobs: usize, minutes: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let store = format!("sqlite://{}", folder.path().join("history.db").display());
    println!("tab over the dashboard on sqlite: {jobs} jobs of history, {minutes} min a page");
    let jobs_per_second = tab::watch(jobs, minutes, &store)?;
    println!("  {jobs_per_second:.0} jobs/s ended meanwhile");
    Ok(())
}
