//! How a run ends that is told to.

use std::time::{Duration, Instant};

use crate::program::Place;

/// A killed program is gone within this time, however busy the machine is.
const WAIT_MAX: Duration = Duration::from_secs(20);

const SLOW: &str = "{ name: slow, stages: [{ id: sleep, type: exec, settings: { command: \
                    'echo $$ > pid; exec sleep 300' } }] }";

#[test]
fn first_signal_drains() {
    let place = Place::with_pipeline("{ name: calm, stages: [{ id: pass, type: pass }] }");
    for name in ["INT", "TERM"] {
        let run = place.start(&["run", "pipeline.yaml"]);
        run.wait_for("no jobs yet");
        run.signal(name);
        run.wait_for("draining");
        run.wait_for("stopped: nothing runs any more");
        assert_eq!(run.end(), Some(0));
    }
}

#[test]
fn second_signal_stops_at_once_and_burns_nothing() {
    let place = Place::with_pipeline(SLOW);
    let job = place.run(&["submit", "pipeline.yaml"]).exits(0).word();
    let run = place.start(&["run", "pipeline.yaml", "--json"]);
    run.wait_for(r#""state":"running""#);
    run.signal("INT");
    run.wait_for("once more to stop at once");
    run.signal("INT");
    run.wait_for("stopped at once");
    assert_eq!(run.end(), Some(130));
    let pid = std::fs::read_to_string(place.path("pid")).expect("the stage ran");
    let limit = Instant::now() + WAIT_MAX;
    while is_alive(pid.trim()) {
        assert!(Instant::now() < limit, "the stage's program outlives the engine");
        std::thread::yield_now();
    }
    assert!(place.show(&job)["job"]["failure"].is_null());
}

/// A process that is being torn down has no command line any more.
fn is_alive(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

#[test]
fn drain_deadline_hands_back() {
    let place = Place::with_pipeline(SLOW);
    let job = place.run(&["submit", "pipeline.yaml"]).exits(0).word();
    let run = place.start(&["run", "pipeline.yaml", "--json", "--drain-seconds", "0"]);
    run.wait_for(r#""state":"running""#);
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
    let shown = place.show(&job);
    assert_eq!(shown["job"]["state"], "queued");
    assert_eq!(shown["job"]["deliveries"], 0);
}
