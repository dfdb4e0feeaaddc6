//! The scripts that run on the server, each in a file that tells what it promises.

use std::sync::LazyLock;

use redis::Script;
use redis::aio::MultiplexedConnection;

const COMMON: &str = concat!(include_str!("scripts/common.lua"), include_str!("scripts/lines.lua"));

/// Gives a server every script, so that nothing has to be told twice later. One that forgets them
/// is given them again where they are called.
pub async fn load(connection: &mut MultiplexedConnection) -> redis::RedisResult<()> {
    for script in all() {
        script.load_async(connection).await?;
    }
    Ok(())
}

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = $file:literal;)*) => {
        $(
            $(#[$doc])*
            pub static $name: LazyLock<Script> =
                LazyLock::new(|| Script::new(&[COMMON, include_str!($file)].concat()));
        )*

        fn all() -> impl Iterator<Item = &'static Script> {
            [$(&*$name),*].into_iter()
        }
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
