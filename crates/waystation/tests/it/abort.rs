//! Jobs that somebody ends.

use crate::program::Place;

const SLOW: &str = "{ name: slow, stages: [{ id: sleep, type: exec, settings: { command: \
                    'echo $$ > pid; exec sleep 300' } }, { id: never, type: pass }] }";

#[test]
fn queued_job_is_aborted_at_once() {
    let place = Place::with_pipeline(SLOW);
    let job = place.run(&["submit", "pipeline.yaml"]).exits(0).word();
    let abort = ["jobs", "abort", &job, "--reason", "not needed"];
    place.run(&abort).exits(0).says("aborted");
    place.run(&["jobs", "show", &job]).exits(0).says("not needed");
    place.run(&abort).exits(1).says("had already ended");
    place.run(&["run", "pipeline.yaml", "--until-idle"]).exits(0);
}

#[test]
fn running_job_is_told_to_end() {
    let place = Place::with_pipeline(SLOW);
    let job = place.run(&["submit", "pipeline.yaml"]).exits(0).word();
    let arguments = ["run", "pipeline.yaml", "--until-idle", "--lease-seconds", "1", "--json"];
    let run = place.start(&arguments);
    run.wait_for(r#""state":"running""#);
    place.run(&["jobs", "abort", &job]).exits(0).says("its worker is told");
    run.wait_for(r#""state":"aborted""#);
    assert_eq!(run.end(), Some(0));
    let shown = place.show(&job);
    assert_eq!(shown["job"]["state"], "aborted");
    place.run(&["jobs", "watch", &job]).exits(1).says("aborted at sleep");
}
