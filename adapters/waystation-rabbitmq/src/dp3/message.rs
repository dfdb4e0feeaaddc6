//! What DP3's queues carry: tasks of data points, snapshots and words of control.

use std::num::NonZeroU16;

use serde::Serialize;
use serde_json::{Map, Value};
use waystation_core::key::{hash, normalised};

use super::eid::{Eid, Kinds};
use super::fields::{Fields, Wrong};
use super::moment::Moment;
use super::task::DataPointTask;

/// A message for a worker, or for all of them.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Message {
    /// News of an entity.
    Task(DataPointTask),
    /// A snapshot is to be made, or a run of them begins or ends.
    Snapshot(Snapshot),
    /// Something is to be done now.
    Control(Control),
}

/// Which of a worker's queues: what DP3 keeps apart from each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feed {
    /// Tasks of data points, in a normal and a priority lane.
    Tasks,
    /// Snapshots.
    Snapshots,
    /// Words of control.
    Control,
}

/// That a snapshot of entities is to be made, or how far a run of snapshots is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// Which entities: types and ids.
    pub entities: Vec<(String, Eid)>,
    /// Of which moment.
    pub time: Moment,
    /// What is said of them.
    #[serde(rename = "type")]
    pub kind: SnapshotKind,
    /// It is the last one of this moment.
    #[serde(rename = "final")]
    pub is_final: bool,
}

/// What a snapshot message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SnapshotKind {
    /// A snapshot of these linked entities is to be made.
    Task,
    /// These are linked: they are no single ones.
    LinkedEntities,
    /// A run of snapshots begins.
    RunStart,
    /// A run of snapshots ends.
    RunEnd,
}

/// Something that is to be done now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Control {
    /// What.
    pub action: Action,
    /// With which arguments; their form is the action's.
    pub kwargs: Map<String, Value>,
}

/// What DP3 does on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Make snapshots.
    MakeSnapshots,
    /// Run again what is run for a new entity, for those that there are.
    RefreshOnEntityCreation,
    /// Read a module's configuration again.
    RefreshModuleConfig,
}

impl Message {
    /// What decides which worker it is for.
    pub fn routing_key(&self) -> String {
        match self {
            Self::Task(task) => task.routing_key(),
            Self::Snapshot(snapshot) => snapshot.routing_key(),
            Self::Control(_) => String::new(),
        }
    }

    /// Which of so many workers it is for. Words of control go to the first one.
    ///
    /// An IPv6 address that stands for an IPv4 one is hashed as `::ffff:1.2.3.4`, however it is
    /// written: as by DP3 on Python 3.13 and later.
    pub fn worker(&self, workers: NonZeroU16) -> u16 {
        match self {
            Self::Control(_) => 0,
            other => hash(&normalised(&other.routing_key())) % workers,
        }
    }

    /// Whether it is for every worker: DP3 tells refreshes to all of them.
    pub fn is_for_all(&self) -> bool {
        matches!(self, Self::Control(control) if control.action != Action::MakeSnapshots)
    }

    /// By which queues it goes.
    pub fn feed(&self) -> Feed {
        match self {
            Self::Task(_) => Feed::Tasks,
            Self::Snapshot(_) => Feed::Snapshots,
            Self::Control(_) => Feed::Control,
        }
    }

    /// Its form on the wire, if DP3 takes it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Wrong> {
        if let Self::Task(task) = self {
            task.check()?;
        }
        serde_json::to_vec(self)
            .map_err(|error| Wrong::new("the message", &self.routing_key(), error.to_string()))
    }

    /// Reads what came by these queues.
    pub fn parse(feed: Feed, body: &[u8], kinds: &Kinds) -> Result<Self, Wrong> {
        Ok(match feed {
            Feed::Tasks => Self::Task(DataPointTask::parse(body, kinds)?),
            Feed::Snapshots => Self::Snapshot(Snapshot::parse(body, kinds)?),
            Feed::Control => Self::Control(Control::parse(body)?),
        })
    }
}

impl From<DataPointTask> for Message {
    fn from(task: DataPointTask) -> Self {
        Self::Task(task)
    }
}

impl From<Snapshot> for Message {
    fn from(snapshot: Snapshot) -> Self {
        Self::Snapshot(snapshot)
    }
}

impl From<Control> for Message {
    fn from(control: Control) -> Self {
        Self::Control(control)
    }
}

impl Snapshot {
    /// What decides which worker it is for.
    pub fn routing_key(&self) -> String {
        let entities = self.entities.iter().map(|(etype, eid)| format!("{etype}:{eid}"));
        entities.collect::<Vec<_>>().join("-")
    }

    /// Reads a message on the wire.
    pub fn parse(body: &[u8], kinds: &Kinds) -> Result<Self, Wrong> {
        let mut fields = Fields::of_message(body)?;
        let entities = fields.list("entities")?.into_iter().enumerate();
        let entities = entities.map(|(index, pair)| entity(index, &pair, kinds));
        let entities = entities.collect::<Result<_, _>>()?;
        let time = Moment::read("time", &fields.need("time", "a moment is due")?)?;
        let kind = word("type", &fields.text("type")?, &SnapshotKind::WORDS)?;
        let is_final = fields.yes_or_no("final")?;
        fields.end()?;
        Ok(Self { entities, time, kind, is_final })
    }
}

fn entity(index: usize, pair: &Value, kinds: &Kinds) -> Result<(String, Eid), Wrong> {
    let field = format!("entities[{index}]");
    match pair.as_array().map(Vec::as_slice) {
        Some([Value::String(etype), eid]) if !etype.is_empty() => {
            Ok((etype.clone(), kinds.read(&field, etype, eid)?))
        }
        _ => Err(Wrong::new(&field, pair, "a list of a type and an id is due")),
    }
}

impl SnapshotKind {
    const WORDS: [(&'static str, Self); 4] = [
        ("task", Self::Task),
        ("linked_entities", Self::LinkedEntities),
        ("run_start", Self::RunStart),
        ("run_end", Self::RunEnd),
    ];
}

impl Control {
    /// This action, without arguments.
    pub fn new(action: Action) -> Self {
        Self { action, kwargs: Map::new() }
    }

    /// Reads a message on the wire.
    pub fn parse(body: &[u8]) -> Result<Self, Wrong> {
        let mut fields = Fields::of_message(body)?;
        let action = word("action", &fields.text("action")?, &Action::WORDS)?;
        let kwargs = match fields.take("kwargs") {
            None => Map::new(),
            Some(Value::Object(kwargs)) => kwargs,
            Some(other) => return Err(Wrong::new("kwargs", &other, "an object is due")),
        };
        fields.end()?;
        Ok(Self { action, kwargs })
    }
}

impl Action {
    const WORDS: [(&'static str, Self); 3] = [
        ("make_snapshots", Self::MakeSnapshots),
        ("refresh_on_entity_creation", Self::RefreshOnEntityCreation),
        ("refresh_module_config", Self::RefreshModuleConfig),
    ];
}

fn word<T: Copy>(field: &str, text: &str, words: &[(&str, T)]) -> Result<T, Wrong> {
    let found = words.iter().find(|(word, _)| *word == text);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        Wrong::new(field, &text, format!("known are {}", known.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: fn(u16) -> NonZeroU16 = |number| NonZeroU16::new(number).expect("above zero");

    #[test]
    fn snapshots_are_written_as_dp3_writes_them() {
        let text = concat!(
            r#"{"entities":[["A",1],["B","q"]],"time":"2024-01-01T00:00:00.120000Z","#,
            r#""type":"run_end","final":true}"#
        );
        let parsed = Message::parse(Feed::Snapshots, text.as_bytes(), &Kinds::default());
        let message = parsed.expect("a snapshot");
        assert_eq!(message.to_bytes().expect("JSON"), text.as_bytes());
        assert_eq!(message.routing_key(), "A:1-B:q");
        assert_eq!([2, 3, 4, 7, 16].map(|workers| message.worker(N(workers))), [1, 2, 3, 1, 15]);
        let short = Snapshot::parse(
            br#"{"time":"2024-01-01T00:00:00","type":"run_start"}"#,
            &Kinds::default(),
        );
        let short = short.expect("a snapshot");
        assert_eq!((short.routing_key().as_str(), short.is_final), ("", false));
    }

    #[test]
    fn words_of_control_go_to_the_first_worker_or_to_all() {
        let text = r#"{"action":"refresh_module_config","kwargs":{"module":"m"}}"#;
        let parsed = Message::parse(Feed::Control, text.as_bytes(), &Kinds::default());
        let message = parsed.expect("a word of control");
        assert_eq!(message.to_bytes().expect("JSON"), text.as_bytes());
        assert!(message.is_for_all());
        let snapshots = Message::from(Control::new(Action::MakeSnapshots));
        assert_eq!((snapshots.worker(N(7)), snapshots.is_for_all()), (0, false));
        let written = snapshots.to_bytes().expect("JSON");
        assert_eq!(written, br#"{"action":"make_snapshots","kwargs":{}}"#);
    }

    #[test]
    fn tasks_go_to_the_worker_of_their_entity() {
        for (etype, eid, worker) in [
            ("ip", "10.0.0.1", 1),
            ("ip", "::ffff:1.2.3.4", 2144 % 3),
            ("ip", "::ffff:102:304", 2144 % 3),
            ("user", "žluť", 1),
        ] {
            let message = Message::from(DataPointTask::deleting(etype, eid));
            assert_eq!(message.worker(N(3)), worker, "{etype}:{eid}");
        }
    }

    #[test]
    fn what_is_neither_is_named() {
        for (feed, text, expected) in [
            (Feed::Control, r#"{"action":"reboot"}"#, "action is `reboot`: known are make_"),
            (Feed::Control, r#"{"action":"make_snapshots","kwargs":[]}"#, "kwargs is `[]`"),
            (Feed::Snapshots, r#"{"type":"task"}"#, "time is absent"),
            (
                Feed::Snapshots,
                r#"{"entities":[["A"]],"time":"2024-01-01T00:00:00Z","type":"task"}"#,
                "entities[0] is `[\"A\"]`: a list of a type and an id",
            ),
            (Feed::Tasks, r#"{"action":"make_snapshots","kwargs":{}}"#, "etype is absent"),
        ] {
            let wrong = Message::parse(feed, text.as_bytes(), &Kinds::default());
            let wrong = wrong.expect_err(text).to_string();
            assert!(wrong.contains(expected), "{text}: {wrong}");
        }
    }
}
