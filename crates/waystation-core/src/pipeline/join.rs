//! How a job waits for its children, and what it takes from them. ContentFlow's `join` edges wait
//! for all.

use crate::settlement::{Quorum, Tally};

/// How a stage waits for children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Join {
    /// How many of them.
    pub wait: Wait,
    /// What becomes of the job when one of them fails or is aborted.
    pub on_failure: OnFailure,
    /// What becomes of those that are not waited for any longer.
    pub rest: Rest,
    /// What is taken from the children into the params of the job: under each name the list of
    /// what they have under the other, in the order of their positions.
    pub collect: Vec<(String, String)>,
}

/// How many children a join waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// All of them.
    #[default]
    All,
    /// This many of them, or more. Where there are fewer, the join fails.
    AtLeast(u32),
}

impl Wait {
    /// The first of them.
    pub const ANY: Self = Self::AtLeast(1);
}

/// What becomes of a job when one of its children fails or is aborted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// It fails, too, at once. The other children go on: when they have ended and the failed one
    /// was tried again, the job can be tried again as well.
    #[default]
    Fail,
    /// The child is left out: all of the others are waited for, or enough of them.
    Ignore,
    /// The child counts as one that came, and brings its failure.
    Collect,
}

/// What becomes of children that are not waited for any longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    /// They are aborted.
    #[default]
    Abort,
    /// They go on by themselves. What they give is not taken.
    Run,
}

/// Whether a job goes on from a join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gathering {
    /// It does.
    Complete,
    /// Not yet.
    Open,
    /// It never will, unless children that failed are tried again.
    Failed,
}

impl Join {
    /// When the job is to be looked at, of so many children that this stage run made.
    pub fn quorum(&self, visit: u32, children: u32) -> Quorum {
        let never = u32::MAX;
        let needed = match self.wait {
            Wait::All => children,
            Wait::AtLeast(number) => number,
        };
        match (self.on_failure, self.wait) {
            (OnFailure::Fail, _) => Quorum { visit, completed: needed, failed: 1, ended: never },
            (OnFailure::Ignore, Wait::All) => {
                Quorum { visit, completed: needed, failed: never, ended: children }
            }
            (OnFailure::Ignore, Wait::AtLeast(number)) => {
                // From here on not enough of them are left.
                let failed = children.saturating_sub(number).saturating_add(1);
                Quorum { visit, completed: needed, failed, ended: never }
            }
            (OnFailure::Collect, _) => {
                Quorum { visit, completed: needed, failed: never, ended: needed }
            }
        }
    }

    /// Whether the job goes on, of so many children of which so many have ended.
    pub fn gathering(&self, children: u32, tally: Tally) -> Gathering {
        let Tally { completed, failed } = tally;
        let is_enough = match (self.wait, self.on_failure) {
            (Wait::All, OnFailure::Fail) => completed >= children,
            (Wait::All, OnFailure::Ignore | OnFailure::Collect) => completed + failed >= children,
            // Also after a failure: which of the two came first is not told any more.
            (Wait::AtLeast(number), OnFailure::Fail | OnFailure::Ignore) => completed >= number,
            (Wait::AtLeast(number), OnFailure::Collect) => completed + failed >= number,
        };
        if is_enough {
            Gathering::Complete
        } else if self.quorum(1, children).is_reached(tally) || self.lacks(children) {
            Gathering::Failed
        } else {
            Gathering::Open
        }
    }

    /// Whether more children are waited for than there are.
    fn lacks(&self, children: u32) -> bool {
        matches!(self.wait, Wait::AtLeast(number) if number > children)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: [Wait; 4] = [Wait::All, Wait::ANY, Wait::AtLeast(3), Wait::AtLeast(7)];
    const POLICIES: [OnFailure; 3] = [OnFailure::Fail, OnFailure::Ignore, OnFailure::Collect];

    fn join(wait: Wait, on_failure: OnFailure) -> Join {
        Join { wait, on_failure, ..Join::default() }
    }

    #[test]
    fn joins_decide_by_what_ended() {
        use Gathering::{Complete, Failed, Open};
        use OnFailure::{Collect, Fail, Ignore};
        let cases = [
            (Wait::All, Fail, (4, 0), Open),
            (Wait::All, Fail, (5, 0), Complete),
            (Wait::All, Fail, (3, 1), Failed),
            (Wait::All, Ignore, (3, 1), Open),
            (Wait::All, Ignore, (3, 2), Complete),
            (Wait::All, Ignore, (0, 5), Complete),
            (Wait::All, Collect, (1, 4), Complete),
            (Wait::ANY, Fail, (0, 0), Open),
            (Wait::ANY, Fail, (1, 0), Complete),
            (Wait::ANY, Fail, (0, 1), Failed),
            (Wait::ANY, Ignore, (0, 4), Open),
            (Wait::ANY, Ignore, (0, 5), Failed),
            (Wait::ANY, Collect, (0, 1), Complete),
            (Wait::AtLeast(3), Ignore, (2, 2), Open),
            (Wait::AtLeast(3), Ignore, (2, 3), Failed),
            (Wait::AtLeast(3), Collect, (1, 2), Complete),
            (Wait::AtLeast(7), Collect, (0, 0), Failed),
        ];
        for (wait, on_failure, (completed, failed), expected) in cases {
            let got = join(wait, on_failure).gathering(5, Tally { completed, failed });
            assert_eq!(got, expected, "{wait:?} {on_failure:?} {completed} {failed}");
        }
    }

    /// The job is looked at as soon as there is something to decide, and not before.
    #[test]
    fn quorum_is_reached_exactly_when_the_join_is_no_longer_open() {
        for (wait, on_failure) in WAITS.into_iter().flat_map(|wait| POLICIES.map(|p| (wait, p))) {
            let join = join(wait, on_failure);
            for children in 1..=6 {
                if join.lacks(children) {
                    continue;
                }
                let quorum = join.quorum(1, children);
                for completed in 0..=children {
                    for failed in 0..=children - completed {
                        let tally = Tally { completed, failed };
                        let decided = join.gathering(children, tally) != Gathering::Open;
                        let at = format!("{join:?} {children} {tally:?}");
                        assert_eq!(quorum.is_reached(tally), decided, "{at}");
                    }
                }
            }
        }
    }
}
