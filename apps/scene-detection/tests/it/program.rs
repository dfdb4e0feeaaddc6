//! The program, as somebody runs it.

use std::path::Path;
use std::process::{Command, Output};

fn scene_detection(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scene-detection"));
    command.args(arguments).current_dir(folder).output().expect("it starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn demo_shows_what_it_found_and_how_good_that_is() {
    let place = tempfile::tempdir().expect("a folder");
    let demo = ["demo", "--scenes", "3", "--seed", "5"];
    let rust = scene_detection(&demo, place.path());
    assert!(rust.status.success(), "{rust:?}");
    for part in ["scene_5_000", "scene_5_002", "all 3", "192 tiles", "held against the truth"] {
        assert!(said(&rust).contains(part), "{part}: {}", said(&rust));
    }
    let python = scene_detection(&[&demo[..], &["--python"]].concat(), place.path());
    assert_eq!(said(&rust), said(&python), "{python:?}");
}

#[test]
fn broken_image_fails_by_its_name_and_stops_no_other() {
    let place = tempfile::tempdir().expect("a folder");
    let made = scene_detection(&["generate", "work", "--scenes", "1"], place.path());
    assert!(made.status.success(), "{made:?}");
    let broken = place.path().join("work/images/broken.png");
    std::fs::write(broken, b"no image").expect("written");
    let run = scene_detection(&["run", "work"], place.path());
    assert_eq!(run.status.code(), Some(1), "{run:?}");
    let said = said(&run);
    let part = "broken: failed at stage detect: validation: image `broken`: it is no image";
    assert!(said.contains(part), "{said}");
    assert!(said.contains("all 1"), "{said}");
}
