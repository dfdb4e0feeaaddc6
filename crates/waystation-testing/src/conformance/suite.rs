//! The macros that make one named test of each case.
//!
//! The lists below are the suite. A test holds them against the functions of the modules, so that
//! no case is written and then not run.

/// Expands into a module `conformance` with one test per case. The expression makes a fresh
/// [`Harness`](crate::conformance::Harness); it is evaluated once in each test.
///
/// Without a second word the backend must be durable. With `keeps_nothing`, the cases about
/// crashes appear as `conformance::not_applicable::…` and check that the backend says so.
#[macro_export]
macro_rules! conformance_suite {
    ($harness:expr) => {
        mod conformance {
            #[allow(unused_imports)]
            use super::*;
            $crate::conformance_cases!($harness);
            $crate::durability_cases!($harness, same);
        }
    };
    ($harness:expr, keeps_nothing) => {
        mod conformance {
            #[allow(unused_imports)]
            use super::*;
            $crate::conformance_cases!($harness);
            mod not_applicable {
                #[allow(unused_imports)]
                use super::*;
                $crate::durability_cases!($harness, backend_that_keeps_nothing_says_so);
            }
        }
    };
}

/// Expands into a module `conformance_ledger` with one test per case of a store that keeps the
/// books for a broker. What its harness opens is a [`Backend::of_ledger`].
///
/// Without a second word it must be durable, as in [`conformance_suite`](crate::conformance_suite).
///
/// [`Backend::of_ledger`]: crate::conformance::Backend::of_ledger
#[macro_export]
macro_rules! conformance_ledger {
    ($harness:expr) => {
        mod conformance_ledger {
            #[allow(unused_imports)]
            use super::*;
            $crate::ledger_cases!($harness);
            $crate::conformance_tests! {
                $harness =>
                    ledger::{
                        projected_jobs_survive_a_crash,
                    }
            }
        }
    };
    ($harness:expr, keeps_nothing) => {
        mod conformance_ledger {
            #[allow(unused_imports)]
            use super::*;
            $crate::ledger_cases!($harness);
        }
    };
}

/// Expands into a module `conformance_model` with one test: random operations on the backend of
/// the first harness are answered as the one of the second answers them. See
/// [`model`](crate::conformance::model).
#[macro_export]
macro_rules! conformance_model {
    ($subject:expr, $reference:expr) => {
        mod conformance_model {
            #[allow(unused_imports)]
            use super::*;

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn random_operations_are_answered_as_by_the_reference() {
                use $crate::conformance::model;
                for seed in model::SEEDS {
                    let (mut subject, mut reference) = ($subject, $reference);
                    model::run(seed, model::STEPS, &mut subject, &mut reference).await;
                }
            }
        }
    };
}

/// The cases that every backend runs.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_cases {
    ($harness:expr) => {
        $crate::conformance_tests! {
            $harness =>
                delivery::{
                    submitted_job_is_delivered_once_with_its_body,
                    body_that_is_no_contract_is_delivered_as_it_is,
                    queues_are_apart,
                    job_is_running_while_it_is_leased,
                    hand_back_does_not_count_and_keeps_the_place,
                    handed_back_delivery_cannot_be_settled_again,
                    concurrent_receivers_never_share_a_delivery,
                }
                order::{
                    equal_priorities_keep_their_order,
                    priority_goes_before_order,
                    lower_priority_has_its_share,
                    delayed_message_waits_until_its_time,
                    message_that_is_due_already_is_queued,
                    due_messages_stand_in_the_order_of_coming,
                    retry_comes_back_after_its_delay_with_the_new_body,
                }
                keys::{
                    one_of_a_key_is_out_at_a_time,
                    batch_keeps_its_order_within_each_key,
                    keys_of_two_queues_are_apart,
                    message_that_comes_again_is_the_last_of_its_key,
                    retry_blocks_its_key,
                    retry_that_steps_aside_lets_its_key_go_on,
                    delayed_message_lines_up_when_it_is_due,
                    priority_goes_first_within_a_key,
                    abandoned_delivery_is_still_the_first_of_its_key,
                    abort_of_the_first_lets_its_key_go_on,
                    job_that_waits_for_children_keeps_its_key,
                    concurrent_receivers_keep_the_order_of_each_key,
                }
                runs::{
                    run_is_handed_out_in_order_and_settled_in_one_batch,
                    run_is_settled_one_by_one,
                    settlement_out_of_order_is_refused,
                    retry_within_a_run_goes_before_the_rest,
                    tail_that_is_given_back_keeps_its_order,
                    gap_within_a_run_lets_nobody_pass,
                    abandoned_run_returns_and_its_first_goes_alone,
                    abandoned_delivery_within_a_run_is_counted,
                    abort_within_a_run_is_told_to_its_holder,
                    abort_of_an_abandoned_run_keeps_the_order,
                    runs_keep_the_limit_of_an_answer,
                }
                leases::{
                    abandoned_delivery_returns,
                    abandoned_delivery_keeps_its_place,
                    extended_lease_does_not_run_out,
                    extended_lease_runs_out_when_it_is_not_extended_again,
                    extending_a_lost_lease_says_so,
                    stale_token_is_refused,
                    expired_lease_holds_until_another_takes_it,
                }
                settlements::{
                    settlement_forwards_whole,
                    ended_job_keeps_its_last_contract,
                    second_settlement_of_a_delivery_is_lost,
                    settlements_of_a_batch_stand_alone,
                    empty_batches_are_fine,
                    changes_are_told_on_the_bus,
                    signals_reach_every_subscriber,
                    events_and_log_are_kept_in_order,
                }
                submission::{
                    duplicate_id_is_one_job,
                    duplicate_dedupe_key_is_one_job,
                    job_may_start_in_the_inbox,
                    checkpoint_stands_and_falls_with_the_jobs,
                    lost_locks_fence_the_checkpoint,
                }
                dedupe::{
                    duplicate_is_rejected_alone,
                    id_goes_before_the_key,
                    waiting_job_gives_way_at_once,
                    running_job_gives_way_at_its_settlement,
                    ended_job_is_followed,
                    jobs_of_a_batch_give_way_to_each_other,
                }
                inbox::{
                    park_opens_a_task,
                    task_is_answered_exactly_once,
                    answer_may_park_again_or_end_the_job,
                    tasks_are_listed_oldest_first,
                }
                dead_letters::{
                    failed_job_lies_with_the_dead_letters,
                    unreadable_delivery_ends_as_a_dead_letter,
                    requeue_brings_a_failed_job_back,
                    drop_leaves_the_job_failed,
                    dead_letters_are_listed_newest_first,
                    aborted_job_leaves_no_dead_letter,
                }
                abort::{
                    job_that_waits_is_aborted_at_once,
                    abort_of_an_ended_or_unknown_job_says_so,
                    running_job_is_aborted_by_its_settlement,
                    marked_delivery_goes_nowhere_else,
                    marked_delivery_is_not_delivered_again,
                    abandoned_job_is_aborted_at_once,
                }
                family::{
                    fanned_out_job_waits_and_its_children_are_delivered,
                    last_child_lets_its_parent_go_on,
                    failed_child_counts_until_it_is_tried_again,
                    failed_child_lets_its_parent_be_looked_at,
                    aborted_child_counts_as_failed,
                    job_that_waits_for_children_is_aborted_at_once,
                    marked_job_makes_no_children,
                    child_whose_id_is_taken_counts_as_failed,
                    children_of_children_come_together_first,
                    children_that_end_in_one_batch_are_all_counted,
                    children_of_an_earlier_run_are_not_waited_for,
                    jobs_are_listed_by_family,
                }
                waiting::{
                    receive_is_woken_by_submit,
                    receive_is_woken_by_a_hop,
                    receive_is_woken_by_a_hand_back,
                    receive_is_woken_by_an_answer,
                    receive_notices_what_becomes_due,
                    receive_of_nothing_returns_empty_after_its_wait,
                    dropped_receive_loses_nothing,
                    answered_receive_that_is_dropped_returns_its_deliveries,
                }
                limits::{
                    oversized_payload_is_refused_at_submit,
                    oversized_payload_is_refused_at_settle,
                    failed_payload_is_kept_whatever_its_size,
                    batches_have_a_limit,
                    receive_gives_no_more_than_was_asked,
                    senseless_settlements_are_refused,
                }
                listings::{
                    jobs_are_listed_newest_first_in_pages,
                    no_page_is_longer_than_the_limit,
                    jobs_are_filtered_by_what_they_show,
                    counts_say_where_jobs_stand,
                    depth_tells_ready_delayed_and_leased,
                    pipeline_versions_count_changes,
                    live_versions_are_those_of_jobs_that_go_on,
                }
                job_pages::{
                    pages_hold_what_each_filter_lets_through,
                    last_page_says_that_it_is_the_last,
                    text_is_found_in_any_case,
                    children_are_filtered_too,
                    lease_shows_until_when_a_job_runs,
                }
                tasks::{
                    claim_lasts_for_a_while,
                    task_is_released_by_its_holder,
                    task_is_assigned_whosever_it_was,
                    persons_names_have_limits,
                    tasks_are_filtered_and_paged,
                }
                letters::{
                    letters_are_filtered_and_paged,
                    depths_are_those_of_every_queue,
                }
                records::{
                    record_is_as_it_was_written_last,
                    record_is_written_when_what_is_expected_is_there,
                    one_of_several_writers_succeeds,
                    expired_record_is_gone,
                    records_are_listed_by_key,
                    records_have_limits,
                }
                statistics::{
                    hop_counts_the_wait_and_the_attempt,
                    ends_of_jobs_are_counted,
                    what_does_not_hold_is_not_counted,
                    abandoned_leases_are_counted,
                    answers_and_aborts_are_counted,
                    jobs_that_others_make_are_counted,
                    minutes_are_apart_and_forgotten,
                }
                feed::{
                    feed_tells_what_happened_since,
                    feed_is_read_in_pages,
                    feed_has_a_longest_page,
                    feed_misses_nothing_while_others_write,
                }
                progress::{
                    last_progress_is_kept_while_it_says_something,
                    progress_of_an_ended_job_is_not_kept,
                }
                steps::{
                    first_result_of_a_step_holds,
                    steps_are_apart,
                    steps_of_ended_jobs_are_forgotten,
                    steps_are_forgotten_page_by_page,
                }
        }
    };
}

/// The cases about crashes, or one case in the place of each.
#[doc(hidden)]
#[macro_export]
macro_rules! durability_cases {
    ($harness:expr, $instead:ident) => {
        $crate::durability_tests! {
            $harness, $instead =>
                    submitted_jobs_survive_a_crash_in_order,
                    settled_states_survive_a_crash,
                    leased_deliveries_return_after_a_crash,
                    abort_mark_survives_a_crash,
                    pipelines_survive_a_crash,
                    what_others_look_at_survives_a_crash,
                    steps_survive_a_crash,
        }
    };
}

/// The cases that every ledger runs.
#[doc(hidden)]
#[macro_export]
macro_rules! ledger_cases {
    ($harness:expr) => {
        $crate::conformance_tests! {
            $harness =>
                ledger::{
                    carried_job_does_not_run,
                    handed_over_job_stays_queued_and_out_of_reach,
                    journal_walks_a_job_to_its_end,
                    repeated_and_late_entries_do_no_harm,
                    entry_that_runs_ahead_holds,
                    running_shows_and_clears,
                    retry_shows_until_when_it_waits,
                    foreign_job_becomes_known,
                    job_that_is_submitted_to_the_broker_becomes_known,
                    unknown_job_without_a_pipeline_is_refused_whole,
                    failed_entry_opens_one_dead_letter,
                    requeue_opens_a_new_stage_run,
                    unreadable_delivery_of_a_broker_is_a_dead_letter,
                    abort_of_a_handed_over_job_is_a_mark,
                    replaced_job_that_was_handed_over_is_marked,
                    marked_delivery_is_handed_over_with_its_mark,
                    marked_job_does_not_come_to_the_inbox,
                    hand_over_after_the_journal_is_lost,
                    batch_may_tell_of_a_job_several_times,
                    batch_of_too_many_entries_is_refused,
                    changes_by_the_journal_are_told_on_the_bus,
                    journals_in_any_order_end_the_same,
                    children_that_the_journal_tells_of_are_created_and_awaited,
                    marked_job_does_not_wait_for_children,
                    child_that_fails_on_the_broker_is_counted,
                    journal_is_counted_and_fed_once,
                    depths_tell_of_what_a_broker_has,
                    end_of_a_foreign_job_is_counted,
                }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($harness:expr => $($module:ident::{ $($case:ident,)* })*) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let mut harness = $harness;
                $crate::conformance::$module::$case(&mut harness).await;
            }
        )*)*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! durability_tests {
    ($harness:expr, same => $($case:ident,)*) => {
        $crate::conformance_tests! { $harness => durability::{ $($case,)* } }
    };
    ($harness:expr, $instead:ident => $($case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let mut harness = $harness;
                $crate::conformance::durability::$instead(&mut harness).await;
            }
        )*
    };
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    const MODULES: &[&str] = &[
        include_str!("delivery.rs"),
        include_str!("order.rs"),
        include_str!("keys.rs"),
        include_str!("runs.rs"),
        include_str!("leases.rs"),
        include_str!("settlements.rs"),
        include_str!("submission.rs"),
        include_str!("dedupe.rs"),
        include_str!("inbox.rs"),
        include_str!("dead_letters.rs"),
        include_str!("abort.rs"),
        include_str!("family.rs"),
        include_str!("waiting.rs"),
        include_str!("limits.rs"),
        include_str!("listings.rs"),
        include_str!("job_pages.rs"),
        include_str!("tasks.rs"),
        include_str!("letters.rs"),
        include_str!("records.rs"),
        include_str!("statistics.rs"),
        include_str!("feed.rs"),
        include_str!("progress.rs"),
        include_str!("steps.rs"),
        include_str!("durability.rs"),
        include_str!("ledger/mod.rs"),
        include_str!("ledger/abort.rs"),
        include_str!("ledger/random.rs"),
        include_str!("ledger/family.rs"),
        include_str!("ledger/looking_on.rs"),
    ];

    #[test]
    fn every_case_is_in_the_suite() {
        let written: BTreeSet<&str> = MODULES
            .iter()
            .flat_map(|module| module.lines())
            .filter_map(|line| line.strip_prefix("pub async fn "))
            .filter_map(|line| line.split_once('('))
            .map(|(name, _)| name)
            .filter(|name| *name != "backend_that_keeps_nothing_says_so")
            .collect();
        let listed: BTreeSet<&str> = include_str!("suite.rs")
            .lines()
            .filter_map(|line| line.trim().strip_suffix(','))
            .filter(|line| line.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
            .collect();
        let missing: Vec<_> = written.difference(&listed).collect();
        assert!(missing.is_empty(), "not in the suite: {missing:#?}");
    }
}
