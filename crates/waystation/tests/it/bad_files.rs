//! Pipeline files and the things that they name, when something is wrong with them.

use crate::program::Place;

/// Everything before a job could run is refused with the place in the file.
#[test]
fn bad_pipeline_files_are_refused() {
    let cases = [
        ("name: [x\nstages", "pipeline.yaml:"),
        (
            "{ name: x, stages: [{ id: a, type: image.recitfy }] }",
            "pipeline.yaml:1:36: stage `a` has the unknown type `image.recitfy`",
        ),
        (
            "{ name: x, stages: [{ id: a, type: exec, settings: { command: '${PROGRAM_}' } }] }",
            "`${PROGRAM_}` is not set (hint: pass --set PROGRAM_=value",
        ),
        ("{ name: x, stages: [{ id: a, type: exec }] }", "setting `command` is absent"),
    ];
    for (text, message) in cases {
        let place = Place::with_pipeline(text);
        for verb in [&["run"][..], &["submit"], &["pipelines", "check"]] {
            let command = [verb, &["pipeline.yaml"]].concat();
            place.run(&command).exits(2).says(message).says("error: pipeline.yaml has 1 problem");
            assert!(!place.path("waystation.db").exists(), "a store for nothing");
        }
    }
}

#[test]
fn every_problem_has_a_line() {
    let text = "name: x\nstages:\n  - { id: a, type: nope }\n  - { id: b, type: exec }\n";
    let place = Place::with_pipeline(text);
    let checked = place.run(&["pipelines", "check", "pipeline.yaml"]).exits(2);
    let lines: Vec<_> = checked.stderr.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(lines[0].starts_with("pipeline.yaml:3:"), "{lines:#?}");
    assert!(lines[1].starts_with("pipeline.yaml:4:"), "{lines:#?}");
    let json = place.run(&["pipelines", "check", "pipeline.yaml", "--json"]).exits(2).objects();
    assert_eq!(json[0]["problems"][1]["line"], 4);
}

/// Wrong only when a job comes to it: the job fails, and the dead letter says why.
#[test]
fn what_breaks_at_run_time_is_a_dead_letter() {
    let cases = [
        (
            "{ id: a, type: exec, output_params: [size], settings: { command: \
             'echo ''{\"sise\": 1}''' } }",
            "missing size; extra sise",
        ),
        (
            "{ id: a, type: exec, settings: { command: [/no/such/program, '-x'] } }",
            "cannot start `/no/such/program -x`",
        ),
        ("{ id: a, type: exec, settings: { command: 'echo oops' } }", "is not a JSON object"),
        #[cfg(feature = "images")]
        (
            "{ id: a, type: image.rectify, settings: { folder: pages } }",
            "photo.jpg is no photo that can be read",
        ),
    ];
    for (stage, message) in cases {
        let place = Place::with_pipeline(&format!("{{ name: x, stages: [{stage}] }}"));
        place.write("photo.jpg", "Only a text.");
        let params = r#"{"path": "photo.jpg"}"#;
        let job = place.run(&["submit", "pipeline.yaml", "--params", params]).exits(0).word();
        place.run(&["run", "pipeline.yaml", "--until-idle"]).exits(1).says("1 job failed");
        let letter = place.run(&["dead", "list", "--json"]).exits(0).objects()[0].clone();
        assert_eq!(letter["job_id"], job.as_str());
        let why = letter["failure"]["message"].as_str().expect("a message");
        assert!(why.contains(message), "{why}");
    }
}

#[test]
fn source_without_its_folder_ends_the_run() {
    let place = Place::with_pipeline(
        "{ name: x, stages: [{ id: find, type: files, settings: { folder: '${input}' } }, \
         { id: a, type: pass }] }",
    );
    for mode in [&["--until-idle"][..], &[]] {
        let run = [&["run", "pipeline.yaml", "--input", "photos"], mode].concat();
        place.run(&run).exits(2).says("source `find` cannot work").says("photos");
    }
}
