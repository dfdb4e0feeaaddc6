//! The guides of `docs/guides/`, so that what they show is compiled and run.

#[doc = include_str!("../../../docs/guides/big_payloads.md")]
struct BigPayloads;

#[cfg(feature = "testing")]
#[doc = include_str!("../../../docs/guides/branching_and_joining.md")]
struct BranchingAndJoining;

#[doc = include_str!("../../../docs/guides/engine.md")]
struct TheEngine;

#[doc = include_str!("../../../docs/guides/first_stage.md")]
struct FirstStage;

#[doc = include_str!("../../../docs/guides/retries_and_errors.md")]
struct RetriesAndErrors;

#[doc = include_str!("../../../docs/guides/submitting.md")]
struct Submitting;

#[cfg(feature = "testing")]
#[doc = include_str!("../../../docs/guides/testing.md")]
struct Testing;

#[cfg(feature = "testing")]
#[doc = include_str!("../../../docs/guides/people_in_the_loop.md")]
struct PeopleInTheLoop;
