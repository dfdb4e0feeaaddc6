//! The scripts that run on the server, each in a file that tells what it promises.

use std::sync::LazyLock;

use redis::Script;

const COMMON: &str = include_str!("scripts/common.lua");

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        $(
            $(#[$doc])*
            pub static $name: LazyLock<Script> =
                LazyLock::new(|| Script::new(&[COMMON, include_str!($file)].concat()));
        )*
    };
}

scripts! {
    /// Adds contracts and events.
    SUBMIT = "scripts/submit.lua";
    /// Hands out deliveries under leases.
    CLAIM = "scripts/claim.lua";
    /// Ends deliveries, with everything that follows.
    SETTLE = "scripts/settle.lua";
    /// Makes leases last.
    EXTEND = "scripts/extend.lua";
    /// Counts what is in a queue.
    DEPTH = "scripts/depth.lua";
    /// Forgets consumers that are gone.
    SWEEP = "scripts/sweep.lua";
    /// Reads posts for the one reader.
    JOURNAL_READ = "scripts/journal_read.lua";
    /// Ends posts.
    JOURNAL_DONE = "scripts/journal_done.lua";
    /// Keeps the reader's lock, or lets it go.
    JOURNAL_HOLD = "scripts/journal_hold.lua";
}
