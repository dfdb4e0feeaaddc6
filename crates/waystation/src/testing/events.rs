//! A job's events, and what a test says of them.

use std::fmt::Write as _;
use std::ops::Deref;

use similar::{Algorithm, ChangeTag, capture_diff_slices};
use waystation_core::event::Event;
use waystation_core::id::JobId;

/// What has happened to a job, oldest first.
#[derive(Clone, Debug)]
pub struct Events {
    job_id: JobId,
    list: Vec<Event>,
}

/// What happened, and at which stage: `("started", "detect")`.
type Told<'a> = (&'a str, &'a str);

impl Events {
    pub(super) fn new(job_id: &JobId, list: Vec<Event>) -> Self {
        Self { job_id: job_id.clone(), list }
    }

    /// Panics unless exactly these happened, in this order, and shows the difference.
    #[track_caller]
    pub fn assert_are(&self, expected: &[(&str, &str)]) {
        let happened = self.told();
        assert!(
            happened == expected,
            "events of job {} are not those expected (- expected, + happened):\n{}",
            self.job_id,
            self.difference(expected)
        );
    }

    /// Panics unless these happened, in this order; others may have happened in between.
    #[track_caller]
    pub fn assert_include(&self, expected: &[(&str, &str)]) {
        let mut happened = self.told().into_iter();
        let missing = expected.iter().find(|one| !happened.any(|other| other == **one));
        let Some((kind, stage)) = missing else { return };
        panic!(
            "events of job {} do not include `{kind}` at `{stage}` in the order expected \
             (- expected, + happened):\n{}",
            self.job_id,
            self.difference(expected)
        );
    }

    fn told(&self) -> Vec<Told<'_>> {
        self.list.iter().map(|event| (event.kind.as_str(), event.stage.as_str())).collect()
    }

    /// Both lists in one, line by line. What happened tells its detail where nobody expected it.
    fn difference(&self, expected: &[Told<'_>]) -> String {
        let happened = self.told();
        let mut lines = String::new();
        for operation in capture_diff_slices(Algorithm::Lcs, expected, &happened) {
            for change in operation.iter_changes(expected, &happened) {
                let (kind, stage) = change.value();
                let (mark, index) = match change.tag() {
                    ChangeTag::Equal => (' ', None),
                    ChangeTag::Delete => ('-', None),
                    ChangeTag::Insert => ('+', change.new_index()),
                };
                let detail = index.and_then(|index| self.list[index].detail.as_ref());
                let detail = detail.map(|detail| format!("  {detail}")).unwrap_or_default();
                // Writing to a text does not fail.
                let _ = writeln!(lines, "  {mark} {kind:<11} {stage}{detail}");
            }
        }
        lines
    }
}

impl Deref for Events {
    type Target = [Event];

    fn deref(&self) -> &[Event] {
        &self.list
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use serde_json::json;
    use waystation_core::event::EventKind;

    use super::*;
    use crate::testing::FakeClock;

    fn events() -> Events {
        let event = |kind, detail| Event {
            job_id: "j".into(),
            kind,
            stage: "detect".into(),
            visit: 1,
            attempt: 1,
            at: FakeClock::START,
            detail,
        };
        let failed = event(EventKind::Failed, Some(json!({ "why": "dark" })));
        let list = vec![event(EventKind::Created, None), event(EventKind::Started, None), failed];
        Events::new(&"j".into(), list)
    }

    fn complaint(assertion: impl FnOnce(&Events) + std::panic::UnwindSafe) -> String {
        let panic = catch_unwind(|| assertion(&events())).expect_err("it does not hold");
        *panic.downcast::<String>().expect("a text")
    }

    #[test]
    fn difference_is_shown_line_by_line() {
        let said = complaint(|events| {
            events.assert_are(&[
                ("created", "detect"),
                ("started", "detect"),
                ("completed", "detect"),
            ]);
        });
        assert_eq!(
            said,
            "events of job j are not those expected (- expected, + happened):\n    \
             created     detect\n    \
             started     detect\n  \
             - completed   detect\n  \
             + failed      detect  {\"why\":\"dark\"}\n"
        );
    }

    #[test]
    fn included_events_keep_their_order() {
        events().assert_include(&[("created", "detect"), ("failed", "detect")]);
        let said = complaint(|events| {
            events.assert_include(&[("failed", "detect"), ("created", "detect")]);
        });
        assert!(said.contains("do not include `created` at `detect`"), "{said}");
    }
}
