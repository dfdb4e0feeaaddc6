//! What comes into the queues and into the inbox, in the order in which it comes.

use waystation_core::clock::Timestamp;
use waystation_core::event::Event;
use waystation_core::settlement::{Message, NewJob, Quorum, Start, Task, Turn};

use super::batch::{Result, Writer};
use super::tallies::Run;

/// A message on its way into its queue.
pub struct Arrival<'a> {
    /// The number of its job.
    pub job: i64,
    /// The message.
    pub message: &'a Message,
    /// What made its job, if that is a child.
    pub made_by: Option<Run>,
    /// When its job was submitted, where that is known.
    pub created_at: Option<Timestamp>,
    /// Whether it waits there for children.
    pub awaits: bool,
    /// Whether it takes the place of the message that its settlement ends, among those of its key.
    pub keeps_place: bool,
}

/// What a message is told of its job, since it is asked more often than the job.
#[derive(Clone, Copy, Default)]
pub struct Origin<'a> {
    /// What made the job, if it is a child.
    pub made_by: Option<&'a Run>,
    /// When the job was submitted, where that is known.
    pub created_at: Option<Timestamp>,
    /// The queue that the job's last message was in, and its key.
    pub line: Option<(&'a str, &'a str)>,
}

/// A job that is to wait for children.
pub struct Waiting<'a> {
    /// The job's number.
    pub job: i64,
    /// Its message.
    pub message: &'a Message,
    /// How many are enough.
    pub quorum: Quorum,
}

/// All that comes with a batch.
#[derive(Default)]
pub struct Arrivals<'a> {
    /// Messages, the first to be received first.
    pub messages: Vec<Arrival<'a>>,
    /// Those jobs whose messages wait for children.
    pub waiting: Vec<Waiting<'a>>,
    /// Tasks, oldest first.
    pub tasks: Vec<(i64, &'a Task)>,
    /// What is known of new jobs from the beginning.
    pub events: Vec<(i64, &'a Event)>,
}

impl<'a> Arrival<'a> {
    fn new(job: i64, message: &'a Message, origin: Origin<'_>) -> Self {
        let Origin { made_by, created_at, line } = origin;
        let keeps = |turn: &Turn| {
            turn.keeps_place && line == Some((message.queue.as_str(), turn.key.as_str()))
        };
        let keeps_place = message.turn.as_ref().is_some_and(keeps);
        Self { job, message, made_by: made_by.cloned(), created_at, awaits: false, keeps_place }
    }
}

impl<'a> Arrivals<'a> {
    /// A message that can be received, now or when it is due.
    pub fn enqueue(&mut self, job: i64, message: &'a Message, origin: Origin<'_>) {
        self.messages.push(Arrival::new(job, message, origin));
    }

    /// A message that waits for children of its job.
    pub fn hold(&mut self, job: i64, message: &'a Message, quorum: Quorum, origin: Origin<'_>) {
        self.messages.push(Arrival { awaits: true, ..Arrival::new(job, message, origin) });
        self.waiting.push(Waiting { job, message, quorum });
    }

    /// A new job where it starts, at this moment.
    pub fn begin(&mut self, job: i64, new: &'a NewJob, now: Timestamp) {
        match &new.start {
            Start::Queue(message) => {
                let made_by = new.parent.as_ref().map(Run::of);
                let origin =
                    Origin { made_by: made_by.as_ref(), created_at: Some(now), line: None };
                self.messages.push(Arrival::new(job, message, origin));
            }
            Start::Inbox(task) => self.tasks.push((job, task)),
        }
        self.events.extend(new.events.iter().map(|event| (job, event)));
    }

    /// Children where they start: those that could be made, and so have the next numbers.
    pub fn begin_children(
        &mut self,
        children: &'a [NewJob],
        numbers: &mut impl Iterator<Item = Option<i64>>,
        now: Timestamp,
    ) {
        for (child, number) in children.iter().zip(numbers) {
            if let Some(number) = number {
                self.begin(number, child, now);
            }
        }
    }
}

impl Writer {
    /// Puts everything where it comes to; its events are for the caller to write.
    pub(super) async fn insert_arrivals(&mut self, arrivals: &Arrivals<'_>) -> Result<()> {
        self.insert_messages(&arrivals.messages).await?;
        self.insert_waiting(&arrivals.waiting).await?;
        self.insert_tasks(&arrivals.tasks).await
    }
}
