//! `waystation top` on a terminal that is none: a pseudo terminal, by script(1).

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use crate::program::{Place, WAIT_MAX, signal};
use crate::server::Served;

const SCANS: &str = "{ name: scans, stages: [{ id: read, type: pass }] }";

#[test]
fn everything_is_printed_once_for_scripts() {
    let served = Served::new(&Place::with_pipeline(SCANS));
    let viewer = served.place_of("vic", "viewer");
    served.place_of("ada", "admin").run(&["submit", "pipeline.yaml"]).exits(0);
    let once = viewer.run(&["top", "--once", "--width", "120"]).exits(0);
    let lines: Vec<_> = once.stdout.lines().collect();
    assert!(lines[0].starts_with("waystation http://127.0.0.1:"), "{once:#?}");
    assert!(lines.iter().any(|line| line.starts_with("  read ")), "{once:#?}");
    assert!(lines.iter().any(|line| line.starts_with("scans.read ")), "{once:#?}");
    assert!(lines.iter().all(|line| line.chars().count() <= 120), "{once:#?}");
    viewer.run(&["top", "--json"]).exits(0).says(r#""queue":"scans.read""#);
    viewer.run(&["top"]).exits(2).says("top needs a terminal (hint: --once");
}

/// The sequences by which a program takes a screen of its own, and gives it back.
const TAKEN: &str = "\u{1b}[?1049h";
const GIVEN_BACK: &str = "\u{1b}[?1049l";

#[test]
fn terminal_is_given_back_at_every_end() {
    let place = Place::with_pipeline(SCANS);
    place.run(&["submit", "pipeline.yaml"]).exits(0);
    for end in [End::Key, End::Signal] {
        let seen = on_a_terminal(&place, &end);
        let taken = seen.find(TAKEN).expect("it takes the screen");
        let back = seen.rfind(GIVEN_BACK).expect("it gives the screen back");
        assert!(taken < back, "{seen:?}");
        assert!(seen.contains("scans") && seen.contains("read"), "{seen:?}");
        assert!(seen[back..].contains("\u{1b}[?25h"), "the cursor is shown again: {seen:?}");
    }
}

/// How the program comes to its end.
enum End {
    Key,
    Signal,
}

/// What the program writes to its terminal until its end, which comes after its first screen.
fn on_a_terminal(place: &Place, end: &End) -> String {
    let program = env!("CARGO_BIN_EXE_waystation");
    // `exec`: the shell becomes the program, whose id it told before.
    let command = format!("stty rows 24 cols 100; echo pid=$$; exec {program} top");
    let script = ["--quiet", "--return", "--flush", "--command", &command, "/dev/null"];
    let mut child = place.command_of("script", &script).env("TERM", "xterm").spawn();
    let child = child.as_mut().expect("script(1) starts");
    let output = chunks(child.stdout.take().expect("piped"));
    let mut keys = child.stdin.take().expect("piped");
    let (mut seen, mut is_ending) = (String::new(), false);
    loop {
        match output.recv_timeout(WAIT_MAX) {
            Ok(text) => seen.push_str(&text),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("it does not end: {seen:?}"),
        }
        if !is_ending && seen.contains("scans") && seen.contains("read") {
            is_ending = true;
            match end {
                End::Key => keys.write_all(b"q").expect("a key"),
                End::Signal => signal("TERM", id_in(&seen)),
            }
        }
    }
    assert!(child.wait().expect("it ends").success(), "{seen:?}");
    seen
}

fn id_in(seen: &str) -> u32 {
    let id = seen.split("pid=").nth(1).and_then(|rest| rest.split_whitespace().next());
    id.and_then(|id| id.parse().ok()).expect("its id")
}

/// What comes out of a stream, until it ends.
fn chunks(mut stream: impl Read + Send + 'static) -> Receiver<String> {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 4_096];
        // A terminal that is gone is an error to read from.
        while let Ok(count) = stream.read(&mut bytes) {
            if count == 0 || send.send(String::from_utf8_lossy(&bytes[..count]).into()).is_err() {
                return;
            }
        }
    });
    receive
}
