//! Points over HTTP and from files.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::workers::{Place, Process};

const WAIT_MAX: Duration = Duration::from_secs(30);

/// The server over a home of its own.
struct Served {
    place: Place,
    address: String,
    _process: Process,
    _folder: tempfile::TempDir,
}

impl Served {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let home = folder.path().to_path_buf();
        let store = format!("sqlite://{}", home.join("jobs.db").display());
        let place = Place { home, store, queue: None };
        let mut command = place.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(["--link", "ip.asn=asn.member"]).stderr(Stdio::piped());
        let mut process = Process::start(command);
        let mut lines = BufReader::new(process.0.stderr.take().expect("it has one")).lines();
        let told = lines.next().expect("it says where it listens").expect("a text");
        let address = told.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        let address = address.expect(&told).to_owned();
        Self { place, address, _process: process, _folder: folder }
    }

    /// The status and the answer of a request.
    fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: it\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok());
        let body = answer.split("\r\n\r\n").nth(1).expect("a body");
        (status.expect("a status"), serde_json::from_str(body).expect("JSON"))
    }

    /// What is known of an entity once this holds of it.
    fn once(&self, entity: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + WAIT_MAX;
        loop {
            let (_, told) = self.ask("GET", &format!("/entities/{entity}"), "");
            if holds(&told) {
                return told;
            }
            assert!(Instant::now() < until, "{entity} is {told}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.place.command(arguments).output().expect("the program starts")
    }
}

#[test]
fn points_are_applied_and_lead_to_what_they_name() {
    let served = Served::start();
    let points = json!([
        { "type": "ip", "id": "10.0.0.1", "attr": "asn", "v": 64512, "src": "bgp", "c": 0.9 },
        { "type": "ip", "id": "10.0.0.2", "attr": "ttl", "v": 64 },
        { "type": "ip", "id": "10.0.0.1", "attr": "ttl", "v": 63 },
    ]);
    let (status, answer) = served.ask("POST", "/datapoints", &points.to_string());
    assert_eq!((status, &answer), (200, &json!({ "detail": "OK", "updates": 2 })));
    let told = served.once("ip/10.0.0.1", |told| told["attributes"]["ttl"] == 63);
    assert_eq!(told["attributes"], json!({ "asn": 64512, "ttl": 63 }));
    assert_eq!(told["history"][0]["c"], 0.9);
    served.once("asn/64512", |told| told["attributes"]["member"] == "10.0.0.1");

    let shown = served.run(&["show", "asn:64512"]);
    let shown = String::from_utf8(shown.stdout).expect("UTF-8");
    assert!(shown.starts_with("member = \"10.0.0.1\"\n"), "{shown}");
}

#[test]
fn one_bad_point_keeps_all_of_them_out() {
    let served = Served::start();
    let good = json!({ "type": "ip", "id": "10.0.0.9", "attr": "ttl", "v": 64 });
    let check = |body: &str, status: u16, expected: &str| {
        let (got, answer) = served.ask("POST", "/datapoints", body);
        assert_eq!(got, status, "{answer}");
        assert!(answer["detail"][0].as_str().expect("why").contains(expected), "{answer}");
    };
    let mut bad = good.clone();
    bad["c"] = json!(2);
    check(&json!([good, bad]).to_string(), 422, "point 1: `c` must be from 0 to 1, not 2");
    check(&json!([good, { "type": "ip" }]).to_string(), 422, "point 1: missing field `id`");
    check("[", 400, "Failed to parse");
    check("{}", 422, "expected a sequence");

    let file = served.place.home.join("points.jsonl");
    std::fs::write(&file, format!("{good}\n\n{bad}\n")).expect("written");
    let put = served.run(&["put", file.to_str().expect("a text")]);
    let told = String::from_utf8(put.stderr).expect("UTF-8");
    assert!(!put.status.success() && told.contains("points.jsonl:3: `c` must be"), "{told}");
    let (status, _) = served.ask("GET", "/entities/ip/10.0.0.9", "");
    assert_eq!(status, 404, "nothing was taken");

    std::fs::write(&file, format!("{good}\n")).expect("written");
    let put = served.run(&["put", file.to_str().expect("a text")]);
    assert_eq!(String::from_utf8(put.stdout).expect("UTF-8"), "1 updates\n");
    served.once("ip/10.0.0.9", |told| told["attributes"]["ttl"] == 64);
}
