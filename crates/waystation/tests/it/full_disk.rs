//! A store that has no room left: what was taken stays, what is not taken is said.

use std::io::Write;
use std::process::Command;

use crate::program::Place;

const PIPELINE: &str = "{ name: full, stages: [{ id: pass, type: pass }] }";
/// More than any of these stores has room for.
const JOBS_MAX: usize = 500;

/// Submits until there is no room; gives the jobs that were taken.
fn fill(place: &Place, store: &str) -> Vec<String> {
    let params = format!(r#"{{"text": "{}"}}"#, "x".repeat(16_000));
    let submit = ["submit", "pipeline.yaml", "--store", store, "--params", &params];
    let mut taken = Vec::new();
    for _ in 0..JOBS_MAX {
        let ended = place.run(&submit);
        if ended.code == Some(0) {
            taken.push(ended.word());
            continue;
        }
        ended.exits(1).says("is full").says("x.db");
        return taken;
    }
    panic!("{JOBS_MAX} jobs and still room");
}

fn stands(place: &Place, store: &str, taken: &[String]) {
    let list = ["jobs", "list", "--json", "--limit", "1000", "--store", store];
    let jobs = place.run(&list).exits(0).objects();
    let mut listed: Vec<_> = jobs.iter().filter_map(|job| job["job_id"].as_str()).collect();
    listed.sort_unstable();
    assert_eq!(listed, taken);
}

#[test]
fn store_of_limited_size_says_that_it_is_full() {
    let place = Place::with_pipeline(PIPELINE);
    let store = "sqlite://x.db?file_bytes_max=400000";
    let taken = fill(&place, store);
    assert!(!taken.is_empty());
    stands(&place, store, &taken);
    // With more room the jobs go on.
    let run = ["run", "pipeline.yaml", "--until-idle", "--store", "sqlite://x.db"];
    place.run(&run).exits(0);
}

#[test]
fn full_disk_loses_nothing() {
    let place = Place::with_pipeline(PIPELINE);
    let folder = place.path("disk");
    std::fs::create_dir(&folder).expect("a folder");
    let mount =
        Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&folder).output();
    if !mount.is_ok_and(|output| output.status.success()) {
        // Past the test harness's capture, so that it is seen in a green run too.
        let _ = writeln!(std::io::stderr(), "SKIPPED full_disk_loses_nothing: cannot mount tmpfs");
        return;
    }
    let _unmount = Unmount(folder);
    let taken = fill(&place, "sqlite://disk/x.db");
    assert!(!taken.is_empty());
    stands(&place, "sqlite://disk/x.db", &taken);
}

struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}
