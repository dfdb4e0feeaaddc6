//! Whose tasks are, when they are due, and which of them are listed.

use std::time::Duration;

use waystation_core::clock::{Clock, Timestamp};
use waystation_core::job::{Holder, TaskFilter, TaskRecord};
use waystation_core::port::{PERSON_BYTES_MAX, TaskChange, TaskChanged};
use waystation_core::settlement::Settled;

use super::{Backend, Harness, bounded};
use crate::sample;

async fn change(backend: &Backend, task_id: i64, change: TaskChange) -> TaskChanged {
    bounded(backend.store.change_task(task_id, change)).await.expect("the change is taken")
}

fn claim(by: &str, until: Timestamp) -> TaskChange {
    TaskChange::Claim { by: by.to_owned(), until }
}

fn release(by: &str) -> TaskChange {
    TaskChange::Release { by: by.to_owned() }
}

fn assign(to: Option<&str>) -> TaskChange {
    TaskChange::Assign { to: to.map(str::to_owned) }
}

/// A task that is open, and its number.
async fn open(backend: &Backend, id: &str) -> TaskRecord {
    backend.submit(sample::job(id).waiting_at("review")).await;
    let mut tasks = backend.tasks().await;
    tasks.pop().expect("a task is open")
}

fn done(changed: TaskChanged) -> TaskRecord {
    match changed {
        TaskChanged::Done(task) => task,
        other => panic!("it is changed, not {other:?}"),
    }
}

/// A claimed task is one person's for a while, who may claim it again; then it is nobody's.
pub async fn claim_lasts_for_a_while(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let task = open(&backend, "a").await;
    assert_eq!((&task.assignee, task.claimed_until, task.due_at), (&None, None, None));
    let minute = Duration::from_mins(1);
    let until = harness.clock().now().plus(minute);
    let mine = done(change(&backend, task.task_id, claim("ann", until)).await);
    assert_eq!((mine.assignee.as_deref(), mine.claimed_until), (Some("ann"), Some(until)));
    assert_eq!(mine.body, task.body);
    let found = bounded(backend.store.task(task.task_id)).await.expect("it is looked up");
    assert_eq!(found, Some(mine.clone()));
    let held = change(&backend, task.task_id, claim("bob", until.plus(minute))).await;
    assert_eq!(held, TaskChanged::Held(mine.clone()));

    let later = until.plus(minute);
    let longer = done(change(&backend, task.task_id, claim("ann", later)).await);
    assert_eq!(longer.claimed_until, Some(later));
    harness.clock().advance(minute * 2);
    let theirs = done(change(&backend, task.task_id, claim("bob", later.plus(minute))).await);
    assert_eq!(theirs.assignee.as_deref(), Some("bob"));
    assert_eq!(change(&backend, -1, claim("ann", later)).await, TaskChanged::Unknown);
    let answer = sample::answer(&task).complete();
    assert_eq!(backend.settle(answer).await, Settled::Applied, "holding a task fences nothing");
    assert_eq!(change(&backend, task.task_id, release("bob")).await, TaskChanged::Unknown);
}

/// What a person holds only they release, once or more often; who has nothing releases nothing.
pub async fn task_is_released_by_its_holder(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let id = open(&backend, "a").await.task_id;
    let until = harness.clock().now().plus(Duration::from_mins(1));
    let mine = done(change(&backend, id, claim("ann", until)).await);
    assert_eq!(change(&backend, id, release("bob")).await, TaskChanged::Held(mine));
    for _ in 0..2 {
        let free = done(change(&backend, id, release("ann")).await);
        assert_eq!((free.assignee, free.claimed_until), (None, None));
    }
    done(change(&backend, id, claim("bob", until)).await);
    harness.clock().advance(Duration::from_mins(1));
    done(change(&backend, id, release("ann")).await);
}

/// An assigned task is a person's until it is answered or given to another, whosever it was.
pub async fn task_is_assigned_whosever_it_was(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let id = open(&backend, "a").await.task_id;
    let until = harness.clock().now().plus(Duration::from_mins(1));
    done(change(&backend, id, claim("ann", until)).await);
    let given = done(change(&backend, id, assign(Some("bob"))).await);
    assert_eq!((given.assignee.as_deref(), given.claimed_until), (Some("bob"), None));
    harness.clock().advance(Duration::from_hours(24 * 365));
    let held = change(&backend, id, claim("ann", until)).await;
    assert_eq!(held, TaskChanged::Held(given));
    let free = done(change(&backend, id, assign(None)).await);
    assert_eq!(free.assignee, None);

    let due = harness.clock().now();
    let pressing = done(change(&backend, id, TaskChange::Due(Some(due))).await);
    assert_eq!((pressing.due_at, pressing.assignee), (Some(due), None));
    assert_eq!(done(change(&backend, id, TaskChange::Due(None)).await).due_at, None);
}

/// Names of persons have a limit, and what would not fit every store is refused.
pub async fn persons_names_have_limits(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let id = open(&backend, "a").await.task_id;
    let long = "p".repeat(PERSON_BYTES_MAX + 1);
    for name in ["", "a\0b", &long] {
        let until = harness.clock().now();
        for change in [claim(name, until), release(name), assign(Some(name))] {
            assert!(bounded(backend.store.change_task(id, change)).await.is_err(), "{name}");
        }
    }
    let longest = "p".repeat(PERSON_BYTES_MAX);
    done(change(&backend, id, assign(Some(&longest))).await);
}

/// Filters narrow together, and pages follow each other.
pub async fn tasks_are_filtered_and_paged(harness: &mut dyn Harness) {
    let backend = harness.open().await;
    let now = harness.clock().now();
    let (soon, late) = (now.plus(Duration::from_secs(10)), now.plus(Duration::from_hours(1)));
    for number in 0..6 {
        let job = sample::job(&format!("job-{number}"));
        let job = job.of(["samples", "others"][number % 2]);
        backend.submit(job.waiting_at(["review", "correct"][number % 3 % 2])).await;
    }
    let all = backend.tasks().await;
    let changes = [
        (1, claim("ann", soon)),
        (2, claim("bob", late)),
        (3, assign(Some("ann"))),
        (4, TaskChange::Due(Some(soon))),
        (5, TaskChange::Due(Some(late))),
    ];
    for (index, with) in changes {
        done(change(&backend, all[index].task_id, with).await);
    }
    harness.clock().advance(Duration::from_secs(10));
    let now = harness.clock().now();
    let all = backend.tasks().await;
    let any = TaskFilter::first(9);
    let person = |name: &str| Holder::Person(name.to_owned());
    let mut filters = vec![any.clone()];
    for holder in [Holder::Nobody, person("ann"), person("bob"), person("eve")] {
        filters.push(TaskFilter { holder: holder.clone(), ..any.clone() });
        let pipeline = Some("samples".into());
        filters.push(TaskFilter { holder, pipeline, ..any.clone() });
    }
    let holder = Holder::PersonOrNobody("bob".to_owned());
    filters.push(TaskFilter { holder: holder.clone(), ..any.clone() });
    filters.push(TaskFilter { holder, stage: Some("review".into()), ..any.clone() });
    for stage in ["review", "correct", "nowhere"] {
        filters.push(TaskFilter { stage: Some(stage.into()), ..any.clone() });
        let pipeline = Some("others".into());
        filters.push(TaskFilter { stage: Some(stage.into()), pipeline, ..any.clone() });
    }
    for moment in [soon, soon.plus(Duration::from_millis(1)), late.plus(Duration::from_secs(1))] {
        filters.push(TaskFilter { due_before: Some(moment), ..any.clone() });
        let holder = Holder::Nobody;
        filters.push(TaskFilter { due_before: Some(moment), holder, ..any.clone() });
    }
    for id in ["job-3", "nobody"] {
        filters.push(TaskFilter { job_id: Some(id.into()), ..any.clone() });
        let stage = Some("review".into());
        filters.push(TaskFilter { job_id: Some(id.into()), stage, ..any.clone() });
    }
    for filter in filters {
        let expected: Vec<_> = all.iter().filter(|task| filter.has(task, now)).cloned().collect();
        let mut found: Vec<TaskRecord> = Vec::new();
        loop {
            let after = found.last().map(|task| task.task_id);
            let page = TaskFilter { after, limit: 2, ..filter.clone() };
            let page = bounded(backend.store.tasks(page)).await.expect("the tasks are listed");
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        assert_eq!(found, expected, "{filter:?}");
    }
}
