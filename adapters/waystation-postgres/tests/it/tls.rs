//! Who is believed to be the server.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use waystation_core::clock::SystemClock;
use waystation_core::port::{Error, Store};
use waystation_postgres::{Options, Postgres};

use waystation_testing::servers::Cluster;

/// A server whose certificate names `localhost`, and the file of the authority that signed it.
struct Secured {
    cluster: Cluster,
    folder: TempDir,
}

impl Secured {
    fn start() -> Self {
        let (authority, root) = authority("ours");
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &authority).expect("signed");
        let cluster = Cluster::prepare();
        cluster.add("server.crt", &certificate.pem());
        cluster.add("server.key", &key.serialize_pem());
        // Nobody gets in without TLS, so that what gets in has it.
        cluster.add("pg_hba.conf", "hostssl all all 127.0.0.1/32 trust\n");
        cluster.run(&["ssl=on"]);
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("root.crt"), root).expect("written");
        std::fs::write(folder.path().join("other.crt"), self::authority("another").1)
            .expect("written");
        Self { cluster, folder }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn open(&self, host: &str, options: &str) -> Result<Postgres, Error> {
        let url = self.cluster.url().replace("127.0.0.1", host);
        open(&format!("{url}?{options}")).await
    }
}

async fn open(url: &str) -> Result<Postgres, Error> {
    Postgres::open(Options::parse(url).expect("a good URL"), Arc::new(SystemClock)).await
}

fn authority(name: &str) -> (Issuer<'static, KeyPair>, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("signed");
    (Issuer::new(params, key), certificate.pem())
}

#[tokio::test]
async fn server_is_believed_as_far_as_the_mode_asks() {
    let server = Secured::start();
    let (root, other) = (server.file("root.crt"), server.file("other.crt"));
    let (root, other) = (root.display(), other.display());
    for (host, options) in [
        ("127.0.0.1", "sslmode=prefer".to_owned()),
        ("127.0.0.1", "sslmode=require".to_owned()),
        ("127.0.0.1", format!("sslmode=verify-ca&sslrootcert={root}")),
        ("localhost", format!("sslmode=verify-full&sslrootcert={root}")),
    ] {
        let store = server.open(host, &options).await;
        let store = store.unwrap_or_else(|error| panic!("{options}: {error}"));
        assert!(store.counts(None).await.expect("it answers").is_empty(), "{options}");
    }
    for (host, options, parts) in [
        ("127.0.0.1", "sslmode=disable".to_owned(), ["no pg_hba.conf entry", "127.0.0.1"]),
        (
            "127.0.0.1",
            format!("sslmode=verify-full&sslrootcert={root}"),
            ["not valid for name", "verify-ca"],
        ),
        (
            "localhost",
            format!("sslmode=verify-full&sslrootcert={other}"),
            ["Issuer", "sslrootcert="],
        ),
        ("127.0.0.1", format!("sslmode=require&sslrootcert={other}"), ["Issuer", "sslrootcert="]),
        ("127.0.0.1", "sslmode=verify-ca".to_owned(), ["Issuer", "postgres 127.0.0.1/"]),
        (
            "127.0.0.1",
            "sslmode=verify-ca&sslrootcert=/no/file".to_owned(),
            ["sslrootcert /no/file cannot be used", "postgres 127.0.0.1/"],
        ),
    ] {
        let error = server.open(host, &options).await.err();
        let error = error.unwrap_or_else(|| panic!("{options} got in"));
        assert!(matches!(error, Error::Broken { .. }), "{options}: {error}");
        for part in parts {
            assert!(error.to_string().contains(part), "{options}: {error}");
        }
    }
}

#[tokio::test]
async fn server_without_tls_is_refused_where_it_is_required() {
    let cluster = Cluster::start(&[]);
    let url = cluster.url();
    for mode in ["require", "verify-ca", "verify-full"] {
        let error = open(&format!("{url}?sslmode={mode}")).await.err().expect("refused");
        assert!(error.to_string().contains("server does not support TLS"), "{error}");
        assert!(error.to_string().contains("hint: set ssl = on"), "{error}");
    }
    open(&format!("{url}?sslmode=prefer")).await.expect("without TLS, as it is preferred only");
}
