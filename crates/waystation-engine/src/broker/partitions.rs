//! Looks after the partitions of queues whose jobs have keys, where the broker keeps order by such.
//!
//! The ledger's records say into how many partitions a queue is parted, and which processes want
//! jobs of it. From these every process tells by itself which partitions are its own. Two that know
//! different things may mean the same partition for a moment: the broker lets one of them have it.
//!
//! States of a queue: *steady* (one generation), *moving* (its number changed: what is published
//! goes to the new generation, and the former one is worked off before anybody takes from the new).

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use waystation_core::id::{QueueName, StageId};
use waystation_core::job::PAGE_MAX;
use waystation_core::partition::shares;
use waystation_core::port::{
    Error, Expected, Generation, Parted, Parts, Put, Queue, RecordPage, Records,
};

use crate::backend::Backend;
use crate::control::{Roster, collection, host, worker_id};
use crate::graph::Graph;

/// How queues are parted.
const PLANS: &str = "partitions";
/// Which processes want jobs of them.
const MEMBERS: &str = "partition_members";
/// How often is looked who is there.
const LOOK: Duration = Duration::from_millis(500);
/// The same while a process begins, and how long it does.
const FIRST_LOOK: Duration = Duration::from_millis(50);
const BEGINS: Duration = Duration::from_secs(3);
/// How often a process tells that it is, unless something changed.
const TELL: Duration = Duration::from_secs(2);
/// After this long without a word its partitions go to others.
const MEMBER_LASTS: Duration = Duration::from_secs(6);
/// The wait after the ledger or the broker could not be asked.
const PAUSE: Duration = Duration::from_secs(1);

/// What is known of the queues here. Clones are the same.
#[derive(Clone, Default)]
pub struct Wishes(Arc<Mutex<BTreeMap<QueueName, Wish>>>);

/// Into how many partitions a version of a pipeline wants a queue to be parted.
#[derive(Clone, Copy)]
struct Wish {
    version: u32,
    partitions: NonZeroU32,
}

/// How a queue is parted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Plan {
    /// The version of the pipeline that wanted it so.
    version: u32,
    /// What is published to.
    current: Generation,
    /// What is worked off before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    former: Option<Former>,
}

/// A generation that is worked off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Former {
    generation: Generation,
    /// The partitions that still are.
    left: BTreeSet<u32>,
}

/// That a process wants jobs of queues.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Member {
    worker_id: String,
    queues: BTreeSet<QueueName>,
}

/// Whose partitions they are.
pub enum Owner {
    /// An engine's, which tells of them.
    Engine(Roster),
    /// A server's that hands jobs to remote workers.
    Server,
}

impl Owner {
    fn worker_id(&self) -> String {
        match self {
            Self::Engine(roster) => roster.worker_id().to_owned(),
            Self::Server => worker_id(&host(), std::process::id()),
        }
    }
}

/// Looks after the partitions in one process.
pub struct Partitions {
    broker: Arc<dyn Queue>,
    backend: Backend,
    owner: Owner,
    wishes: Wishes,
    member: Member,
    told: Option<(Member, Instant)>,
}

impl Wishes {
    /// Notes what a version of a pipeline wants.
    pub fn add(&self, graph: &Graph, stage: &StageId, queue: &QueueName) {
        let stage = graph.pipeline.stage(stage);
        let Some(keyed) = stage.and_then(|stage| stage.key.as_ref()) else { return };
        let wish = Wish { version: graph.version, partitions: keyed.partitions };
        let mut wishes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = wishes.entry(queue.clone()).or_insert(wish);
        if known.version < wish.version {
            *known = wish;
        }
    }

    fn all(&self) -> Vec<(QueueName, Wish)> {
        let wishes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        wishes.iter().map(|(queue, wish)| (queue.clone(), *wish)).collect()
    }
}

impl Plan {
    fn first(wish: Wish) -> Self {
        let current = Generation { number: 1, partitions: wish.partitions };
        Self { version: wish.version, current, former: None }
    }

    /// The same after what a newer version wants; nothing while an earlier change is under way.
    fn changed_by(&self, wish: Wish) -> Option<Self> {
        let differs = wish.partitions != self.current.partitions && wish.version > self.version;
        if !differs || self.former.is_some() {
            return None;
        }
        let left = (0..self.current.partitions.get()).collect();
        let current = Generation { number: self.current.number + 1, partitions: wish.partitions };
        let former = Some(Former { generation: self.current, left });
        Some(Self { version: wish.version, current, former })
    }

    /// The same after some partitions of the former generation are no more.
    fn without(&self, emptied: &BTreeSet<u32>) -> Option<Self> {
        let mut plan = self.clone();
        let former = plan.former.as_mut()?;
        former.left.retain(|number| !emptied.contains(number));
        if former.left.is_empty() {
            plan.former = None;
        }
        (plan != *self).then_some(plan)
    }

    /// What a process of these has of it.
    fn parts(&self, worker_id: &str, members: &BTreeSet<&str>) -> Parts {
        let former = self.former.as_ref().map(|former| former.generation);
        let taken = former.unwrap_or(self.current);
        let mut mine = shares(taken.partitions, members).remove(worker_id).unwrap_or_default();
        if let Some(former) = &self.former {
            mine.retain(|number| former.left.contains(number));
        }
        Parts { current: self.current, former, mine }
    }
}

impl Partitions {
    /// Of this process.
    pub fn new(broker: Arc<dyn Queue>, backend: Backend, owner: Owner, wishes: Wishes) -> Self {
        let member = Member { worker_id: owner.worker_id(), ..Member::default() };
        Self { broker, backend, owner, wishes, member, told: None }
    }

    /// Looks until the process is to take nothing more.
    pub async fn run(mut self, drain: CancellationToken) -> Result<(), Error> {
        let begun = Instant::now();
        while !drain.is_cancelled() {
            let looked = drain.run_until_cancelled(self.look()).await;
            let wait = match looked {
                // Who has only begun has nothing yet.
                None | Some(Ok(())) if begun.elapsed() < BEGINS => FIRST_LOOK,
                None | Some(Ok(())) => LOOK,
                Some(Err(error)) if error.retryable() => {
                    tracing::warn!(%error, "partitions are left as they are, trying on");
                    PAUSE
                }
                Some(Err(error)) => return Err(error),
            };
            let _ = drain.run_until_cancelled(tokio::time::sleep(wait)).await;
        }
        self.leave().await;
        Ok(())
    }

    async fn look(&mut self) -> Result<(), Error> {
        let wishes = self.wishes.all();
        if wishes.is_empty() {
            return Ok(());
        }
        let members = self.members().await?;
        for (queue, wish) in wishes {
            let (plan, revision) = self.plan(&queue, wish).await?;
            let wanting = members.iter().filter(|member| member.queues.contains(&queue));
            let wanting = wanting.map(|member| member.worker_id.as_str()).collect();
            let parts = plan.parts(&self.member.worker_id, &wanting);
            let parted = self.broker.part(&queue, &parts).await?;
            self.note(&queue, parted, &plan, revision).await?;
        }
        self.tell().await
    }

    /// Notes what came of it.
    async fn note(
        &mut self,
        queue: &QueueName,
        parted: Parted,
        plan: &Plan,
        revision: u64,
    ) -> Result<(), Error> {
        if parted.wanted {
            self.member.queues.insert(queue.clone());
        } else {
            self.member.queues.remove(queue);
        }
        if let Owner::Engine(roster) = &self.owner {
            roster.own(queue, parted.owned);
        }
        let Some(next) = plan.without(&parted.emptied) else { return Ok(()) };
        // Where somebody else changed it meanwhile, it is told again at the next look.
        self.put(queue, &next, Expected::Revision(revision)).await.map(drop)
    }

    /// How a queue is parted: as it was, unless a newer version wants another number.
    async fn plan(&self, queue: &QueueName, wish: Wish) -> Result<(Plan, u64), Error> {
        loop {
            let record = self.records().record(PLANS, queue.as_str()).await?;
            let Some(record) = record else {
                self.put(queue, &Plan::first(wish), Expected::Absent).await?;
                continue;
            };
            let revision = record.revision;
            let Some(plan) = collection::read::<Plan>(PLANS, record) else {
                let message = "how it is parted is not understood: a newer version wrote it";
                let name = format!("partitions of queue {queue}");
                return Err(Error::Unavailable { name, message: message.to_owned() });
            };
            let Some(changed) = plan.changed_by(wish) else { return Ok((plan, revision)) };
            let put = self.put(queue, &changed, Expected::Revision(revision)).await?;
            if let Put::Kept(_) = put {
                let (from, to) = (plan.current.partitions, changed.current.partitions);
                tracing::info!(%queue, %from, %to, "partitions change");
            }
        }
    }

    async fn put(&self, queue: &QueueName, plan: &Plan, expected: Expected) -> Result<Put, Error> {
        let value = collection::written(PLANS, plan)?;
        self.records().put_record(PLANS, queue.as_str(), &value, expected, None).await
    }

    /// Who wants jobs, this process among them as soon as it told so.
    async fn members(&self) -> Result<Vec<Member>, Error> {
        let mut members = Vec::new();
        let mut page = RecordPage { limit: PAGE_MAX, ..RecordPage::default() };
        loop {
            let found = self.records().records(MEMBERS, page.clone()).await?;
            let is_last = found.len() < PAGE_MAX;
            page.after = found.last().map(|record| record.key.clone());
            members.extend(found.into_iter().filter_map(|one| collection::read(MEMBERS, one)));
            if is_last {
                return Ok(members);
            }
        }
    }

    /// Tells what this process wants, when that changed or was told long ago.
    async fn tell(&mut self) -> Result<(), Error> {
        let fresh = |(told, at): &(Member, Instant)| *told == self.member && at.elapsed() < TELL;
        if self.told.as_ref().is_some_and(fresh) {
            return Ok(());
        }
        let (value, key) = (collection::written(MEMBERS, &self.member)?, &self.member.worker_id);
        let gone = Some(self.backend.clock.now().plus(MEMBER_LASTS));
        self.records().put_record(MEMBERS, key, &value, Expected::Any, gone).await?;
        self.told = Some((self.member.clone(), Instant::now()));
        Ok(())
    }

    /// Its partitions go to others at once.
    async fn leave(&self) {
        let key = &self.member.worker_id;
        if let Err(error) = self.records().remove_record(MEMBERS, key, Expected::Any).await {
            tracing::debug!(%error, "its partitions go to others when they miss it");
        }
    }

    fn records(&self) -> &dyn Records {
        &*self.backend.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(version: u32, partitions: u32) -> Wish {
        Wish { version, partitions: NonZeroU32::new(partitions).expect("above zero") }
    }

    #[test]
    fn newer_version_changes_the_number_once_the_former_one_is_worked_off() {
        let first = Plan::first(wish(3, 2));
        assert_eq!(first.changed_by(wish(4, 2)), None, "it is so");
        assert_eq!(first.changed_by(wish(2, 4)), None, "an older version changes nothing");
        let moving = first.changed_by(wish(4, 3)).expect("it changes");
        assert_eq!((moving.current.number, moving.current.partitions.get()), (2, 3));
        assert_eq!(moving.changed_by(wish(5, 2)), None, "one change at a time");

        let parts = moving.parts("a", &BTreeSet::from(["a"]));
        assert_eq!(parts.taken(), first.current);
        assert_eq!(parts.mine, BTreeSet::from([0, 1]));
        let half = moving.without(&BTreeSet::from([1])).expect("it changes");
        assert_eq!(half.parts("a", &BTreeSet::from(["a"])).mine, BTreeSet::from([0]));
        assert_eq!(half.without(&BTreeSet::from([1])), None);
        let steady = half.without(&BTreeSet::from([0])).expect("it changes");
        assert_eq!(steady.parts("a", &BTreeSet::from(["a"])).mine, BTreeSet::from([0, 1, 2]));
        assert_eq!(steady.parts("b", &BTreeSet::from(["a"])).mine, BTreeSet::new());
    }
}
