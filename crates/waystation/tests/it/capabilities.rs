//! The table of what each backend can do, in `docs/stores.md`, says what the code says.
//!
//! `UPDATE_DOCS=1` writes the rows of the tests that run. What they cannot open stays as it was.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;

use waystation::backends::{self, Urls};
use waystation::core::port::Capabilities;

/// Every row, in its order.
const ROWS: [&str; 6] = [
    "`memory://`",
    "`sqlite://`",
    "`postgres://`",
    "`amqp://`",
    "`amqp://`, `declare=passive`",
    "`redis://`",
];
const HEAD: &str = "| URL | delay | priority | keys | atomic settlement | durable \
                    | largest contract |\n|---|---|---|---|---|---|---|\n";
const BEGIN: &str = "<!-- capabilities: tests/it/capabilities.rs -->\n";
const END: &str = "<!-- end of capabilities -->\n";

#[tokio::test]
async fn table_tells_what_embedded_stores_can_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let sqlite = format!("sqlite://{}", folder.path().join("capabilities.db").display());
    hold(&[(ROWS[0], row(&store("memory://").await)), (ROWS[1], row(&store(&sqlite).await))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server, named by WAYSTATION_TEST_POSTGRES"]
async fn table_tells_what_postgres_can_do() {
    let schema = format!("capabilities_{}", std::process::id());
    let url = format!("{}?schema={schema}", server("WAYSTATION_TEST_POSTGRES"));
    hold(&[(ROWS[2], row(&store(&url).await))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a RabbitMQ broker, named by WAYSTATION_TEST_RABBITMQ"]
async fn table_tells_what_rabbitmq_can_do() {
    let url = server("WAYSTATION_TEST_RABBITMQ");
    let passive = format!("{url}?declare=passive");
    hold(&[(ROWS[3], row(&queue(&url).await)), (ROWS[4], row(&queue(&passive).await))]);
}

/// Redis is durable or not as it is set; that it says which is tested with the adapter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Redis server, named by WAYSTATION_TEST_REDIS"]
async fn table_tells_what_redis_can_do() {
    let url = server("WAYSTATION_TEST_REDIS");
    let findings = backends::inspect(&url).await.expect("it can be looked at");
    let always = findings.iter().any(|one| one.message == "is always");
    let capabilities = queue(&url).await;
    assert_eq!(capabilities.durable, always, "{findings:?}");
    hold(&[(ROWS[5], row_with(&capabilities, "with `appendfsync always`"))]);
}

fn server(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} names no server"))
}

async fn store(url: &str) -> Capabilities {
    backends::open(&Urls::store(url)).await.expect("it opens").queue.capabilities()
}

/// What the broker can do by itself; the store beside it only narrows that.
async fn queue(url: &str) -> Capabilities {
    let urls = Urls { queue: Some(url.to_owned()), ..Urls::store("memory://") };
    let backend = backends::open(&urls).await.expect("it opens");
    backend.books.expect("a broker with a ledger").broker.capabilities()
}

fn row(capabilities: &Capabilities) -> String {
    row_with(capabilities, word(capabilities.durable))
}

fn row_with(capabilities: &Capabilities, durable: &str) -> String {
    let Capabilities { delay, priority, keys, atomic_settlement, payload_bytes_max, .. } =
        capabilities;
    let [delay, priority, keys, atomic] =
        [delay, priority, keys, atomic_settlement].map(|can| word(*can));
    let kib = payload_bytes_max / 1_024;
    format!("{delay} | {priority} | {keys} | {atomic} | {durable} | {kib} KiB")
}

fn word(can: bool) -> &'static str {
    if can { "yes" } else { "no" }
}

/// Holds these rows against the page, or writes them there.
fn hold(rows: &[(&str, String)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/stores.md");
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    let mut file = File::options().read(true).write(update).open(path).expect("the page is there");
    if update {
        // Of several tests that write, one at a time.
        file.lock().expect("the page can be locked");
    }
    let mut page = String::new();
    file.read_to_string(&mut page).expect("the page is text");
    let (before, rest) = page.split_once(BEGIN).expect("the table begins with its marker");
    let (table, after) = rest.split_once(END).expect("the table ends with its marker");
    let right = with_rows(table, rows);
    if table == right {
        return;
    }
    assert!(update, "docs/stores.md says otherwise; UPDATE_DOCS=1 writes what is right:\n{right}");
    file.rewind().expect("the page can be written");
    file.set_len(0).expect("the page can be written");
    write!(file, "{before}{BEGIN}{right}{END}{after}").expect("the page can be written");
}

/// The table with these rows as they should be and the others as they are.
fn with_rows(table: &str, rows: &[(&str, String)]) -> String {
    let mut right = HEAD.to_owned();
    for name in ROWS {
        let start = format!("| {name} | ");
        let known = table.lines().find_map(|line| line.strip_prefix(&start)?.strip_suffix(" |"));
        let given = rows.iter().find(|(row, _)| *row == name).map(|(_, cells)| cells.as_str());
        // One that is not there and not known here is asked for, lest it be forgotten.
        let cells = given.or(known).unwrap_or("? | ? | ? | ? | ? | ?");
        let _ = writeln!(right, "{start}{cells} |");
    }
    right
}

#[test]
fn rows_that_are_not_given_stay_and_none_is_missing() {
    let table = "| `redis://` | as it was |\n| `nosql://` | no |\n";
    let right = with_rows(table, &[(ROWS[0], "new".to_owned())]);
    assert!(right.starts_with(&format!("{HEAD}| `memory://` | new |\n| `sqlite://` | ? |")));
    assert!(right.ends_with("| `redis://` | as it was |\n"), "{right}");
}
