//! DP3 itself, as a process beside the test.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use lapin::uri::AMQPUri;
use serde_json::Value;
use tokio::sync::mpsc;

use super::place::Place;
use crate::broker::WAIT_MAX;

/// Names the program `dp3` of an environment that has `dp-cubed`.
const VARIABLE: &str = "WAYSTATION_TEST_DP_CUBED";

/// A process of DP3.
pub struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    lines: mpsc::UnboundedReceiver<Value>,
}

impl Peer {
    /// Starts one that does this with the application of a place.
    pub fn start(place: &Place, command: &str, number: u16) -> Self {
        let program = std::env::var_os(VARIABLE).unwrap_or_else(|| {
            panic!(
                "{VARIABLE} names no `dp3`: install dp-cubed==0.10.0 in an environment of its own"
            )
        });
        let python = PathBuf::from(program).with_file_name("python3");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/dp3/peer.py");
        let AMQPUri { authority, vhost, .. } = place.url.parse().expect("a good URL");
        let mut child = Command::new(&python)
            .arg(script)
            .args([&authority.host, &authority.port.to_string(), &vhost])
            .args([&authority.userinfo.username, &authority.userinfo.password])
            .args([place.app.as_str(), command, &number.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{} starts: {error}", python.display()));
        let (input, output) = (child.stdin.take(), child.stdout.take().expect("a pipe"));
        let (said, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                let _ = said.send(value);
            }
        });
        Self { child, input, lines }
    }

    /// Gives it a line.
    pub fn tell(&mut self, line: &Value) {
        let input = self.input.as_mut().expect("its input is open");
        writeln!(input, "{line}").and_then(|()| input.flush()).expect("it listens");
    }

    /// What it says next.
    pub async fn hear(&mut self) -> Value {
        let heard = tokio::time::timeout(WAIT_MAX, self.lines.recv()).await;
        heard.expect("in time").expect("it goes on")
    }

    /// Nothing more is said to it: it ends, and says the rest.
    pub async fn end(&mut self) -> Vec<Value> {
        self.input = None;
        let mut rest = Vec::new();
        let reading = async {
            while let Some(line) = self.lines.recv().await {
                rest.push(line);
            }
        };
        tokio::time::timeout(WAIT_MAX, reading).await.expect("it ends in time");
        let status = self.child.wait().expect("it was started");
        assert!(status.success(), "{status}: {rest:?}");
        rest
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
