//! Runs the program and looks at what it says.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// No command and no line may take longer.
pub const WAIT_MAX: Duration = Duration::from_mins(1);

/// A folder to run in.
pub struct Place {
    folder: Arc<TempDir>,
    /// What commands find in their environment.
    variables: Vec<(String, String)>,
}

/// What a command left.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A command that runs.
pub struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Place {
    pub fn new() -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        Self { folder, variables: Vec::new() }
    }

    /// The same folder, where commands find this variable in their environment.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut variables = self.variables.clone();
        variables.push((name.to_owned(), value.to_owned()));
        Self { folder: Arc::clone(&self.folder), variables }
    }

    /// A folder that holds this pipeline file as `pipeline.yaml`.
    pub fn with_pipeline(text: &str) -> Self {
        let place = Self::new();
        place.write("pipeline.yaml", text);
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect(name);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(env!("CARGO_BIN_EXE_waystation"), arguments)
    }

    /// A command of any program, in this folder and environment.
    pub fn command_of(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("WAYSTATION_STORE")
            .env_remove("WAYSTATION_LOG")
            .env_remove("WAYSTATION_CONFIG")
            .env_remove("LOG_LEVEL")
            .env_remove("WAYSTATION_SERVER")
            .env_remove("WAYSTATION_TOKEN")
            .env("USER", "tester")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, "")
    }

    /// Runs a command to its end, with this on its stdin.
    pub fn run_with(&self, arguments: &[&str], stdin: &str) -> Ended {
        let mut child = self.command(arguments).spawn().expect("the program starts");
        let id = child.id();
        let mut input = child.stdin.take().expect("piped");
        let stdin = stdin.to_owned();
        // A program that does not read its stdin closes it: that is no fault.
        std::thread::spawn(move || drop(input.write_all(stdin.as_bytes())));
        let (send, receive) = channel();
        std::thread::spawn(move || drop(send.send(child.wait_with_output())));
        let Ok(output) = receive.recv_timeout(WAIT_MAX) else {
            signal("KILL", id);
            panic!("{arguments:?} did not end");
        };
        let output = output.expect("output");
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        Ended { code: output.status.code(), stdout, stderr }
    }

    /// Starts a command whose lines, stdout's and stderr's, can be waited for.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut child = self.command(arguments).spawn().expect("the program starts");
        let (send, lines) = channel();
        let streams: [Box<dyn Read + Send>; 2] = [
            Box::new(child.stdout.take().expect("piped")),
            Box::new(child.stderr.take().expect("piped")),
        ];
        for stream in streams {
            let send = send.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = send.send(line);
                }
            });
        }
        Running { child, lines }
    }

    /// A job as `jobs show` tells of it.
    pub fn show(&self, job_id: &str) -> Value {
        self.run(&["jobs", "show", job_id, "--json"]).exits(0).objects()[0].clone()
    }
}

impl Ended {
    /// Asserts the exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Asserts a part of what was said on either stream.
    #[track_caller]
    pub fn says(self, part: &str) -> Self {
        assert!(self.stdout.contains(part) || self.stderr.contains(part), "{part}: {self:#?}");
        self
    }

    /// The lines of stdout as JSON objects.
    pub fn objects(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines.map(|line| serde_json::from_str(line).expect(line)).collect()
    }

    /// The one word that stdout holds.
    pub fn word(&self) -> String {
        self.stdout.trim().to_owned()
    }
}

impl Running {
    /// Waits for a line with this in it.
    #[track_caller]
    pub fn wait_for(&self, part: &str) -> String {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(WAIT_MAX) {
                Ok(line) if line.contains(part) => return line,
                Ok(line) => seen.push(line),
                Err(error) => panic!("no line with {part} ({error}): {seen:#?}"),
            }
        }
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        signal(name, self.child.id());
    }

    /// Waits for the end; gives the exit code.
    pub fn end(mut self) -> Option<i32> {
        let (send, receive) = channel();
        let id = self.child.id();
        std::thread::spawn(move || drop(send.send(self.child.wait())));
        let Ok(status) = receive.recv_timeout(WAIT_MAX) else {
            signal("KILL", id);
            panic!("the program did not end");
        };
        status.expect("a status").code()
    }
}

impl Drop for Running {
    /// A test that fails leaves nothing that runs.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn signal(name: &str, id: u32) {
    let sent = Command::new("kill").args([format!("-{name}"), id.to_string()]).status();
    assert!(sent.expect("kill starts").success(), "kill -{name} {id}");
}
