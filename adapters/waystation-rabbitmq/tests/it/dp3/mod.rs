//! The task queues of DP3, with DP3 itself on the other side and without it.

mod crash;
mod peer;
mod place;
mod reading;
mod topology;
mod with_dp3;
mod writing;
