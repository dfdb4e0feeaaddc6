//! What a look at a server finds.

use tokio_postgres::NoTls;
use waystation_core::clock::SystemClock;
use waystation_core::port::{Finding, Severity};
use waystation_postgres::{Options, inspect};

use waystation_testing::servers::Cluster;

async fn look(url: &str) -> Vec<Finding> {
    let options = Options::parse(url).expect("a good URL");
    inspect(&options, &SystemClock).await.expect("the server answers")
}

fn of<'a>(findings: &'a [Finding], subject: &str) -> &'a Finding {
    let found = findings.iter().find(|finding| finding.subject == subject);
    found.unwrap_or_else(|| panic!("nothing about {subject}: {findings:?}"))
}

async fn client(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("it answers");
    tokio::spawn(connection);
    client
}

#[tokio::test]
async fn server_that_would_lose_data_is_refused_by_the_name_of_the_setting() {
    let settings = ["fsync=off", "full_page_writes=off", "synchronous_commit=off"];
    let cluster = Cluster::start(&settings);
    let findings = look(&cluster.url()).await;
    for setting in settings {
        let name = setting.strip_suffix("=off").expect("it is off");
        let finding = of(&findings, name);
        assert!(finding.refuses(), "{finding}");
        assert!(finding.message.starts_with(&format!("{name} is off")), "{finding}");
    }
    let meant = look(&format!("{}?unsafe=allow", cluster.url())).await;
    assert!(!meant.iter().any(Finding::refuses), "{meant:?}");
    assert_eq!(of(&meant, "fsync").severity, Severity::Warn);
}

#[tokio::test]
async fn sound_server_is_fine_before_its_first_start_and_after() {
    let cluster = Cluster::start(&[]);
    let findings = look(&cluster.url()).await;
    assert!(findings.iter().all(|finding| finding.severity == Severity::Fine), "{findings:#?}");
    assert!(of(&findings, "schema").message.contains("no schema waystation yet"));
    let options = Options::parse(&cluster.url()).expect("a good URL");
    let store = waystation_postgres::Postgres::open(options, std::sync::Arc::new(SystemClock));
    let findings = store.await.expect("it opens").inspect().await.expect("it answers");
    assert!(findings.iter().all(|finding| finding.severity == Severity::Fine), "{findings:#?}");
    assert!(of(&findings, "schema").message.contains("version 8 of 8"), "{findings:?}");
}

#[tokio::test]
async fn missing_rights_are_refused_with_the_statement_that_gives_them() {
    let cluster = Cluster::start(&[]);
    let owner = client(&cluster.url()).await;
    owner.batch_execute("CREATE ROLE guest LOGIN").await.expect("a superuser");
    let guest = cluster.url().replace("test@", "guest@");
    let findings = look(&guest).await;
    let schema = of(&findings, "schema");
    assert!(schema.refuses(), "{schema}");
    assert!(schema.message.contains("role guest may not make one"), "{schema}");
    let sql = "CREATE SCHEMA waystation; CREATE TABLE waystation.job (id int); \
         GRANT USAGE ON SCHEMA waystation TO guest; GRANT SELECT ON waystation.job TO guest";
    owner.batch_execute(sql).await.expect("a superuser");
    let findings = look(&guest).await;
    let schema = of(&findings, "schema");
    assert!(schema.refuses(), "{schema}");
    assert!(schema.message.contains("lacks DELETE on waystation.job, and 2 rights more"));
}

#[tokio::test]
async fn held_snapshots_and_few_free_connections_are_told() {
    let cluster = Cluster::start(&["max_connections=12", "synchronous_commit=off"]);
    let holder = client(&cluster.url()).await;
    let open = "SET application_name = 'report'; BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1";
    holder.batch_execute(open).await.expect("it begins");
    let other = client(&cluster.url()).await;
    // Each takes the next number of a transaction.
    let burn = "DO $$ BEGIN FOR i IN 1..100100 LOOP PERFORM txid_current(); COMMIT; \
         END LOOP; END $$";
    other.batch_execute(burn).await.expect("it runs");
    let findings = look(&cluster.url()).await;
    let snapshots = of(&findings, "snapshots");
    assert_eq!(snapshots.severity, Severity::Warn, "{snapshots}");
    assert!(snapshots.message.contains("(report)"), "{snapshots}");
    let connections = of(&findings, "max_connections");
    assert_eq!(connections.severity, Severity::Warn, "{connections}");
    assert!(connections.message.contains("2 of 9"), "{connections}");
}
