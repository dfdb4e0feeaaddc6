//! Commands that ask a server, and what they say when it cannot or will not do what they want.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;

use serde_json::json;

use crate::program::{Place, Running};

const ONE: &str = "{ name: one, stages: [{ id: look, type: manual, form: { ok: boolean } }] }";

/// A server over a store in a folder, until it is dropped.
pub struct Served {
    place: Place,
    address: String,
    server: Mutex<Option<Running>>,
}

impl Served {
    /// Serves the store of this folder.
    pub fn new(place: &Place) -> Self {
        // The first token makes a store, and the server a guarded one.
        place.run(&["tokens", "add", "first", "--role", "admin"]).exits(0);
        let server = place.start(&["serve", "--listen", "127.0.0.1:0"]);
        let line = server.wait_for(" at http://");
        let address = line.split(" at ").nth(1).and_then(|rest| rest.split(' ').next());
        let address = address.expect("an address").to_owned();
        Self { place: place.with("X", ""), address, server: Mutex::new(Some(server)) }
    }

    /// The same folder, where commands ask the server as somebody with this role.
    pub fn place_of(&self, name: &str, role: &str) -> Place {
        let token = self.token_of(name, role);
        self.place.with("WAYSTATION_SERVER", &self.address).with("WAYSTATION_TOKEN", &token)
    }

    /// A new token of somebody with this role.
    pub fn token_of(&self, name: &str, role: &str) -> String {
        self.place.run(&["tokens", "add", name, "--role", role]).exits(0).word()
    }

    /// Where the server is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The same folder, where commands ask the server as nobody.
    pub fn place_of_nobody(&self) -> Place {
        self.place.with("WAYSTATION_SERVER", &self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let server = self.server.get_mut().ok().and_then(Option::take);
        if let Some(server) = server {
            server.signal("TERM");
            assert_eq!(server.end(), Some(0));
        }
    }
}

#[test]
fn each_role_may_do_what_it_may() {
    let served = Served::new(&Place::with_pipeline(ONE));
    let viewer = served.place_of("vic", "viewer");
    let operator = served.place_of("olga", "operator");
    let admin = served.place_of("ada", "admin");

    let refused = operator.run(&["submit", "pipeline.yaml"]).exits(2);
    let refused = refused.says("olga is operator; this takes a token with the role admin");
    refused.says("403 forbidden]").says("hint: an admin makes a token with another role");
    admin.run(&["pipelines", "put", "pipeline.yaml"]).exits(0).says("one version 1 is put");
    let job = operator.run(&["submit", "one"]).exits(0).word();
    viewer.run(&["submit", "one"]).exits(2).says("vic is viewer; this takes a token with the role");
    let list = viewer.run(&["jobs", "list"]).exits(0).says("waiting");
    assert!(list.stdout.contains(&job), "{list:#?}");
    viewer.run(&["inbox", "answer", "1", "--answer", r#"{"ok":true}"#]).exits(2).says("forbidden");
    let by = ["inbox", "answer", "1", "--answer", r#"{"ok":true}"#, "--by", "Ada"];
    operator.run(&by).exits(2).says("a server knows by the token who asks");
    operator.run(&by[..5]).exits(0).says("completed");
    viewer.run(&["jobs", "show", &job]).exits(0).says("answered by olga");
    operator.run(&["audit"]).exits(2).says("forbidden");
    admin.run(&["audit"]).exits(0).says("answer_task").says("olga");

    admin.run(&["tokens", "list"]).exits(0).says("olga");
    admin.run(&["tokens", "add", "vic"]).exits(2).says("there is a token named vic already");
    let token = admin.run(&["tokens", "add", "eve", "--role", "viewer"]).exits(0).word();
    let eve = served.place_of_nobody().with("WAYSTATION_TOKEN", &token);
    eve.run(&["queues"]).exits(0);
    admin.run(&["tokens", "remove", "eve"]).exits(0);
    admin.run(&["tokens", "remove", "eve"]).exits(2).says("there is no token named eve");
    let refused = eve.run(&["queues"]).exits(2);
    refused.says("it does not know this token").says("401 unauthenticated]");
    let nobody = served.place_of_nobody();
    nobody.run(&["jobs", "list"]).exits(2).says("hint: --token TOKEN, or $WAYSTATION_TOKEN");
    let token = ["jobs", "list", "--token", "wst_\u{7}"];
    nobody.run(&token).exits(2).says("the token has characters in it that no token has");
}

#[test]
fn problems_of_a_pipeline_are_told_by_the_server_one_by_one() {
    let served = Served::new(&Place::new());
    let admin = served.place_of("ada", "admin");
    admin.write(
        "bad.yaml",
        "name: bad\nstages:\n  - { id: a, type: exce }\n  - { id: b, type: no }\n",
    );
    let refused = admin.run(&["submit", "bad.yaml"]).exits(2).says("`exce`");
    assert!(
        refused.stderr.contains("`no`") && refused.stderr.contains("2 problems"),
        "{refused:#?}"
    );
    let set = admin.run(&["submit", "bad.yaml", "--set", "a=b"]).exits(2);
    set.says("--set a=…: a server gives names");
    // Its store has none of what is named.
    for (arguments, message) in [
        (&["jobs", "show", "j1"][..], "there is no job j1"),
        (&["jobs", "show", "../one"], "there is no job ../one"),
        (&["jobs", "show", ".."], "there is nothing named `..`"),
        (&["jobs", "abort", "j1"], "job j1 unknown to this store"),
        (&["dead", "drop", "j1"], "job j1 is unknown to this store"),
        (&["inbox", "show", "7"], "there is no task 7 in the inbox"),
        (&["submit", "two"], "pipeline `two` is unknown to this store"),
        (&["operations", "show", "x"], "there is no operation x"),
        (&["pause", "two"], "pipeline `two` is unknown to this store"),
    ] {
        admin.run(arguments).exits(2).says(message);
    }
}

#[test]
fn what_is_no_server_is_named() {
    let place = Place::with_pipeline(ONE);
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let gone = place.run(&["jobs", "list", "--server", &format!("http://{free}")]).exits(1);
    let gone = gone.says(&format!("server http://{free} cannot be reached: "));
    gone.says("see that `waystation serve` runs there");

    for (answer, message) in [
        (
            "200 OK\r\ncontent-type: text/html\r\n\r\n<html>Welcome",
            "status 200, text/html: <html>Welcome",
        ),
        ("502 Bad Gateway\r\n\r\nno upstream", "status 502, nothing said of its kind: no upstream"),
        ("302 Found\r\nlocation: http://127.0.0.1:1/\r\n\r\n", "status 302"),
        (
            "200 OK\r\ncontent-type: application/json\r\n\r\n{\"a\":1}",
            "an answer that cannot be read",
        ),
    ] {
        let (address, asked) = foreign(answer);
        let list = ["jobs", "list", "--server", &address, "--token", "wst_secret"];
        let refused = place.run(&list).exits(1).says("does not speak Waystation's API");
        let refused = refused.says(message);
        assert!(!refused.stderr.contains("wst_secret"), "{refused:#?}");
        let asked = asked.join().expect("it was asked");
        assert!(asked.starts_with("GET /api/v1/jobs?"), "{asked}");
        assert!(asked.to_lowercase().contains("authorization: bearer wst_secret"), "{asked}");
    }
    for (arguments, message) in [
        (&["jobs", "list", "--server", "localhost"][..], "server URL `localhost` has no scheme"),
        (&["jobs", "list", "--server", "http://a", "--store", "sqlite://b.db"], "name two places"),
        (&["jobs", "list", "--token", "a"], "--token is for a server"),
        (&["run", "pipeline.yaml", "--server", "http://a"], "--server means nothing to `run`"),
        (&["serve", "--server", "http://a"], "--server means nothing to `serve`"),
        (&["doctor", "--server", "http://a"], "--server means nothing to `doctor`"),
    ] {
        place.run(arguments).exits(2).says(message);
    }
    place.run(&["pipelines", "check", "pipeline.yaml", "--server", "http://a"]).exits(0);
    // What the command line names goes before the environment.
    let place = place.with("WAYSTATION_SERVER", "http://127.0.0.1:1");
    place.run(&["submit", "pipeline.yaml", "--store", "sqlite://own.db"]).exits(0);
    place.run(&["jobs", "list", "--store", "sqlite://own.db"]).exits(0).says("waiting");
    place.run(&["run", "pipeline.yaml", "--until-idle"]).exits(0);
}

/// Something that answers the first request so, whatever it is; gives back what was asked.
fn foreign(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("its address"));
    let asked = std::thread::spawn(move || {
        let (mut stream, _): (TcpStream, _) = listener.accept().expect("somebody asks");
        let lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
        let lines = lines.map_while(Result::ok).take_while(|line| !line.is_empty());
        let asked = lines.collect::<Vec<_>>().join("\n");
        let answer = answer.replacen("\r\n", "\r\nconnection: close\r\n", 1);
        stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).expect("answered");
        asked
    });
    (address, asked)
}

#[test]
fn jobs_are_followed_at_a_server() {
    let place = Place::with_pipeline(
        "{ name: two, stages: [{ id: first, type: pass }, { id: second, type: exec, settings: { \
         command: 'echo hello; echo {}' } }] }",
    );
    let served = Served::new(&place);
    let admin = served.place_of("ada", "admin");
    let run = place.start(&["run", "pipeline.yaml"]);
    run.wait_for("no jobs yet");
    let watched = admin.run(&["submit", "two", "--watch", "--exit", "first"]).exits(0);
    watched.says("completed at first");
    let watched = admin.run(&["submit", "two", "--watch", "--json"]).exits(0);
    let objects = watched.objects();
    assert_eq!(objects[0]["outcome"], json!("created"));
    assert_eq!(objects.last().expect("lines")["job"]["state"], json!("completed"));
    watched.says(r#""line":"hello""#);
    run.signal("TERM");
    assert_eq!(run.end(), Some(0));
}
