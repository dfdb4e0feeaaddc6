//! A server of the test's own, which answers what it was told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Its first line and headers, and its body.
type Request = (String, Vec<u8>);

/// Answers requests one after the other, as it was told, and keeps what was asked.
#[derive(Clone)]
pub struct Server {
    pub port: u16,
    asked: Arc<Mutex<Vec<Request>>>,
    answers: Arc<Mutex<VecDeque<String>>>,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let server = Self { port, asked: Arc::default(), answers: Arc::default() };
        tokio::spawn(server.clone().serve(listener));
        server
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    async fn serve(self, listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            let Some(request) = request(&mut stream).await else { continue };
            self.asked.lock().expect("sound").push(request);
            let answer = self.answers.lock().expect("sound").pop_front();
            let _ = stream.write_all(answer.unwrap_or_default().as_bytes()).await;
        }
    }

    pub fn says(&self, status: &str, headers: &str, body: &str) {
        let headers = format!("content-length: {}\r\nconnection: close\r\n{headers}", body.len());
        let answer = format!("HTTP/1.1 {status}\r\n{headers}\r\n{body}");
        self.answers.lock().expect("sound").push_back(answer);
    }

    fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.asked.lock().expect("sound"))
    }

    /// The first lines and the headers of what was asked since, in small letters.
    pub fn heads(&self) -> Vec<String> {
        self.requests().into_iter().map(|(head, _)| head).collect()
    }

    /// The first lines of what was asked since.
    pub fn asked(&self) -> Vec<String> {
        let heads = self.heads();
        heads.iter().filter_map(|text| Some(text.lines().next()?.to_owned())).collect()
    }

    /// What was asked since, with bodies of JSON.
    pub fn bodies(&self) -> Vec<(String, Value)> {
        let read = |body: &[u8]| serde_json::from_slice(body).expect("JSON");
        self.requests().into_iter().map(|(head, body)| (head, read(&body))).collect()
    }
}

async fn request(stream: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a number"))];
    stream.read_exact(&mut body).await.ok()?;
    Some((head, body))
}
