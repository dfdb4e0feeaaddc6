//! The last events, for those who come back.

use std::collections::VecDeque;

use waystation_core::event::Event;
use waystation_core::id::PipelineName;
use waystation_core::job::Feed;

/// The most events that are kept.
pub const EVENTS_MAX: usize = 10_000;

/// The last pages of the feed. Cursors that were sent lie between two pages.
#[derive(Default)]
pub struct Ring {
    pages: VecDeque<Page>,
    events: usize,
}

struct Page {
    /// Behind which place it begins.
    after: u64,
    events: Vec<(PipelineName, Event)>,
}

impl Ring {
    /// Keeps a page that begins behind this place, and lets go of the oldest ones.
    pub fn push(&mut self, after: u64, feed: Feed) {
        self.events += feed.events.len();
        self.pages.push_back(Page { after, events: feed.events });
        while self.events > EVENTS_MAX {
            let Some(oldest) = self.pages.pop_front() else { return };
            self.events -= oldest.events.len();
        }
    }

    /// Everything that happened behind this place, if it is known.
    pub fn since(&self, place: u64) -> Option<impl Iterator<Item = &(PipelineName, Event)>> {
        let first = self.pages.iter().position(|page| page.after == place)?;
        Some(self.pages.iter().skip(first).flat_map(|page| &page.events))
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use waystation_core::clock::Timestamp;
    use waystation_core::event::EventKind;

    fn page(events: usize, next: u64) -> Feed {
        let event = Event {
            job_id: "j".into(),
            kind: EventKind::Started,
            stage: "s".into(),
            visit: 1,
            attempt: 1,
            at: Timestamp(0),
            detail: None,
        };
        Feed { events: vec![("p".into(), event); events], next }
    }

    #[test]
    fn what_is_kept_can_be_gone_on_from_and_the_rest_not() {
        let mut ring = Ring::default();
        ring.push(0, page(4_000, 4_000));
        ring.push(4_000, page(4_000, 8_000));
        ring.push(8_000, page(4_000, 12_000));
        let count = |place| ring.since(place).map(Iterator::count);
        assert_eq!(count(0), None, "it is too long ago");
        assert_eq!(count(4_000), Some(8_000));
        assert_eq!(count(8_000), Some(4_000));
        assert_eq!(count(8_001), None, "nobody was sent this cursor");
    }
}
