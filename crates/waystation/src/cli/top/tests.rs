//! The screen as it is seen, and what keys do to it.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use serde_json::{Value, json};
use waystation::server::access::Role;

use super::draw;
use super::keys::Wish;
use super::model::{Mode, Model, Tab};
use super::snapshot::{Deed, Me, News, Snapshot};
use crate::cli::pauses::Target;

const NOW: &str = "2026-01-31T12:00:00.000Z";

fn flow(done: f64, failed: u64) -> Value {
    json!({
        "begun_per_minute": done, "completed_per_minute": done, "failed": failed, "retried": 0,
        "p50_ms": 75.0, "p99_ms": 1_250.0,
    })
}

fn stage(id: &str, kind: &str, jobs: &Value, is_paused: bool) -> Value {
    json!({ "id": id, "kind": kind, "jobs": jobs, "flow": flow(40.0, 2), "is_paused": is_paused,
            "oldest_at": "2026-01-31T11:57:00.000Z" })
}

fn worker(told_at: &str, cpu_seconds: f64) -> Value {
    json!({
        "worker_id": "host-1", "kind": "engine", "host": "host", "pid": 1, "version": "1",
        "started_at": "2026-01-31T10:00:00.000Z", "told_at": told_at, "draining": false,
        "serves": [{ "pipeline": "scans", "stage": "read", "queue": "scans.read",
                     "in_flight": 3 }],
        "in_flight": 3, "jobs": [], "memory_bytes": 50 * 1024 * 1024,
        "cpu_seconds": cpu_seconds, "settled": 10, "settled_per_second": 2.5,
    })
}

fn news(worker: &Value) -> News {
    let pause = json!({ "target": "stage/scans/check", "mode": "pause", "by": "ann",
                        "reason": "", "at": NOW });
    let overview = json!({ "at": NOW, "window_seconds": 60.0, "pipelines": [
        { "name": "faces", "version": 1, "jobs": {}, "flow": flow(0.0, 0), "pauses": [],
          "stages": [stage("find", "worker", &json!({}), false)] },
        { "name": "scans", "version": 3, "jobs": { "running": 3, "queued": 1_234_567 },
          "flow": flow(40.0, 0), "pauses": [pause], "stages": [
            stage("read", "worker", &json!({ "running": 3, "queued": 1_234_567 }), false),
            stage("check", "manual", &json!({ "waiting": 2 }), true),
        ] },
    ] });
    let queue = json!({ "queue": "scans.read", "stages": [], "ready": 7, "delayed": 0,
                        "in_flight": 3, "pauses": [], "workers": 1 });
    let read = serde_json::from_value(json!([overview, [worker], [queue]]));
    let (overview, workers, queues) = read.expect("the wire's forms");
    News::Snapshot(Box::new(Snapshot { overview, workers, queues }))
}

fn model(role: Role) -> Model {
    let me = Me { name: "ann".to_owned(), role };
    let mut model = Model::new("http://127.0.0.1:7280".to_owned(), me);
    model.take(news(&worker("2026-01-31T11:59:50.000Z", 10.0)));
    model
}

fn press(model: &mut Model, code: KeyCode) -> Wish {
    model.press(KeyEvent::new(code, KeyModifiers::NONE))
}

fn drawn(model: &Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a screen");
    let draw = |frame: &mut ratatui::Frame| draw::screen(model, frame.area(), frame.buffer_mut());
    terminal.draw(draw).expect("drawn");
    draw::text(terminal.backend().buffer()).join("\n")
}

#[test]
fn screen_shows_pipelines_with_their_stages() {
    let text = drawn(&model(Role::Operator), 130, 12);
    let line = |part: &str| text.lines().find(|line| line.contains(part)).expect(part).to_owned();
    assert!(
        line("waystation").contains("3 running, 1234567 queued, 0 failed, 40 done/min"),
        "{text}"
    );
    assert!(line("p50").contains("queued running"), "{text}");
    let read = line("  read");
    for figure in ["1234k", "3", "40", "75ms", "1.2s", "3m"] {
        assert!(read.split_whitespace().any(|word| word == figure), "{figure}: {read}");
    }
    assert!(line("check").contains("check [manual] (paused)"), "{text}");
    assert!(line("q quit").contains("p pause or resume"), "{text}");
}

#[test]
fn narrow_screen_keeps_what_matters_most() {
    let model = model(Role::Operator);
    let text = drawn(&model, 48, 12);
    assert!(text.contains("running") && text.contains("failed"), "{text}");
    assert!(!text.contains("completed") && !text.contains("p99"), "{text}");
    for (width, height) in [(1, 1), (3, 2), (20, 4), (300, 3)] {
        drawn(&model, width, height);
    }
    let whole = draw::text(&draw::whole(&model, 100)).join("\n");
    assert!(whole.contains("host-1") && whole.contains("scans.read"), "{whole}");
}

#[test]
fn keys_choose_enter_and_filter() {
    let mut model = model(Role::Operator);
    assert_eq!(model.rows().len(), 5);
    press(&mut model, KeyCode::End);
    press(&mut model, KeyCode::Enter);
    assert_eq!((model.inside.as_deref(), model.rows().len()), (Some("scans"), 3));
    press(&mut model, KeyCode::Esc);
    press(&mut model, KeyCode::Char('/'));
    for letter in "READq".chars() {
        press(&mut model, KeyCode::Char(letter));
    }
    assert!(model.rows().is_empty() && drawn(&model, 80, 8).contains("none that match"));
    press(&mut model, KeyCode::Backspace);
    press(&mut model, KeyCode::Enter);
    assert_eq!((model.rows().len(), model.mode.clone()), (1, Mode::Looking));
    press(&mut model, KeyCode::Esc);
    press(&mut model, KeyCode::Tab);
    assert_eq!((model.tab, model.rows().len()), (Tab::Workers, 1));
    press(&mut model, KeyCode::BackTab);
    assert_eq!(press(&mut model, KeyCode::Char('q')), Wish::Quit);
}

#[test]
fn pausing_is_asked_for_and_wants_the_role() {
    let mut viewer = model(Role::Viewer);
    press(&mut viewer, KeyCode::Char('p'));
    let text = drawn(&viewer, 100, 10);
    assert!(text.contains("ann is viewer: to pause takes an operator"), "{text}");

    let mut model = model(Role::Operator);
    press(&mut model, KeyCode::Char('p'));
    assert!(drawn(&model, 100, 10).contains("pause pipeline faces? y: yes"));
    assert_eq!(press(&mut model, KeyCode::Char('n')), Wish::Nothing);
    press(&mut model, KeyCode::Char('p'));
    let pause = Deed::Pause(Target::Pipeline("faces".to_owned()));
    assert_eq!(press(&mut model, KeyCode::Char('y')), Wish::Do(pause));
    press(&mut model, KeyCode::End);
    press(&mut model, KeyCode::Char('p'));
    let resume = Deed::Resume(Target::Stage("scans".to_owned(), "check".to_owned()));
    assert_eq!(press(&mut model, KeyCode::Char('y')), Wish::Do(resume));
}

#[test]
fn processor_time_is_told_as_a_share() {
    let mut model = model(Role::Operator);
    press(&mut model, KeyCode::Tab);
    assert!(!drawn(&model, 100, 8).contains('%'), "nothing to compare with yet");
    model.take(news(&worker("2026-01-31T12:00:00.000Z", 15.0)));
    let text = drawn(&model, 100, 8);
    assert!(
        text.contains("50%") && text.contains("50 MiB") && text.contains("scans: read"),
        "{text}"
    );
    model.take(News::Trouble("server is gone".to_owned()));
    let text = drawn(&model, 100, 8);
    assert!(text.contains("server is gone") && text.contains("host-1"), "{text}");
}
