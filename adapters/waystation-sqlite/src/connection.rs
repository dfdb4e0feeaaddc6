//! How each connection to the file is set up, and how the file's layout comes to be.

use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use waystation_core::port::Error;

use crate::error::explain;
use crate::options::Options;

/// "WAYS": tells our files from other people's.
const APPLICATION_ID: i64 = 0x5741_5953;
/// The layout's steps, in order. A file's `user_version` counts the ones it has.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_jobs.sql"),
    include_str!("migrations/0002_away.sql"),
    include_str!("migrations/0003_families.sql"),
    include_str!("migrations/0004_steps.sql"),
    include_str!("migrations/0005_progress.sql"),
    include_str!("migrations/0006_looking_on.sql"),
    include_str!("migrations/0007_turns.sql"),
    include_str!("migrations/0008_runs.sql"),
];
/// How often to look whether another process's commit is over, and how many times. They take
/// milliseconds; SQLite's own waits grow to a tenth of a second and would starve us beside a
/// process that commits without a pause.
const BUSY_NAP: Duration = Duration::from_millis(1);
const BUSY_NAPS_MAX: i32 = 30_000;
const PAGE_BYTES: u64 = 4096;
const STATEMENTS_CACHED: usize = 64;

/// The connection that writes. Brings the file's layout up to date first.
pub fn open_writer(options: &Options) -> Result<Connection, Error> {
    let name = options.path.display().to_string();
    check_place(options)?;
    let connection =
        open(options, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    refuse_strangers(&connection, &name)?;
    let set_up = || -> rusqlite::Result<()> {
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", options.synchronous.as_str())?;
        // Checkpoints run on a connection of their own, off the writer's commits.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        connection.pragma_update(None, "cache_size", -65_536)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        if let Some(bytes) = options.file_bytes_max {
            connection.pragma_update(None, "max_page_count", (bytes / PAGE_BYTES).max(1))?;
        }
        Ok(())
    };
    set_up().map_err(|error| explain(&name, &error))?;
    migrate(&connection, &name)?;
    Ok(connection)
}

/// The version of the file's layout, and the newest that we know. Nothing is written.
pub fn layout_version(options: &Options) -> Result<(i64, i64), Error> {
    let name = options.path.display().to_string();
    let known = MIGRATIONS.len() as i64;
    let connection = open_reader(options)?;
    refuse_strangers(&connection, &name)?;
    let found = pragma(&connection, "user_version").map_err(|error| explain(&name, &error))?;
    if found > known {
        return Err(Error::NewerVersion { name, found, known });
    }
    Ok((found, known))
}

/// Whether the file can be written where it is to be. SQLite only says that it cannot open it.
fn check_place(options: &Options) -> Result<(), Error> {
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(&options.path);
    opened.map(drop).map_err(|error| Error::Broken {
        name: options.path.display().to_string(),
        message: format!("the file cannot be written: {error}"),
    })
}

/// A connection that checkpoints the write-ahead log.
pub fn open_checkpointer(options: &Options) -> Result<Connection, Error> {
    let connection = open(options, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let name = options.path.display().to_string();
    let set_up = || -> rusqlite::Result<()> {
        connection.busy_timeout(Duration::from_millis(100))?;
        connection.pragma_update(None, "synchronous", options.synchronous.as_str())
    };
    set_up().map_err(|error| explain(&name, &error))?;
    Ok(connection)
}

/// A connection that only reads.
pub fn open_reader(options: &Options) -> Result<Connection, Error> {
    let connection = open(options, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    Ok(connection)
}

fn open(options: &Options, flags: OpenFlags) -> Result<Connection, Error> {
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let mut connection = Connection::open_with_flags(&options.path, flags)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        // Else statements are planned anew for each value that is bound: our plans depend on none.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        wait_for_others(&mut connection)?;
        Ok(connection)
    };
    open().map_err(|error| explain(&options.path.display().to_string(), &error))
}

/// Applies the steps that the file lacks, each whole, one process at a time.
fn migrate(connection: &Connection, name: &str) -> Result<(), Error> {
    let known = MIGRATIONS.len() as i64;
    let run = || -> rusqlite::Result<i64> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let found = pragma(connection, "user_version")?;
        let steps = MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(usize::MAX));
        for step in steps {
            connection.execute_batch(step)?;
        }
        if found < known {
            connection.pragma_update(None, "user_version", known)?;
            connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        connection.execute_batch("COMMIT")?;
        Ok(found)
    };
    let found = run().map_err(|error| explain(name, &error))?;
    if found > known {
        return Err(Error::NewerVersion { name: name.to_owned(), found, known });
    }
    Ok(())
}

/// Looks before anything is written, so that somebody else's file is left as it is.
fn refuse_strangers(connection: &Connection, name: &str) -> Result<(), Error> {
    let is_strange = || -> rusqlite::Result<bool> {
        // In this order: a process that makes the store at this moment does both in one commit.
        let tables: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        Ok(tables > 0 && pragma(connection, "application_id")? != APPLICATION_ID)
    };
    if !is_strange().map_err(|error| explain(name, &error))? {
        return Ok(());
    }
    Err(Error::Broken {
        name: name.to_owned(),
        message: "this SQLite file is not a Waystation store (hint: name another file)".into(),
    })
}

/// Makes a connection wait for the others' commits.
pub fn wait_for_others(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(|naps| {
        std::thread::sleep(BUSY_NAP);
        naps < BUSY_NAPS_MAX
    }))
}

fn pragma(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, name, |row| row.get(0))
}
