//! `http.poll` against a server of the test's own.

use serde_json::{Value, json};
use tokio::net::TcpListener;
use waystation_core::failure::ErrorKind;
use waystation_core::source::BATCH_MAX;

use crate::server::Server;
use crate::workbench::{Crawler, build};

/// Serves a list, page by page.
struct List(Server);

impl std::ops::Deref for List {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.0
    }
}

impl List {
    async fn start() -> Self {
        Self(Server::start().await)
    }

    fn page(&self, ids: &[&str], next: Option<&str>) {
        let items: Vec<_> = ids.iter().map(|id| json!({ "id": id, "name": id })).collect();
        self.says("200 OK", "", &json!({ "items": items, "next": next }).to_string());
    }

    fn settings(&self, more: &Value) -> Value {
        let mut settings = json!({
            "url": self.url("/list?of=all"),
            "items": "/items", "cursor": "/next", "cursor_param": "since", "allow_private": true,
        });
        let more = more.as_object().expect("an object").clone();
        settings.as_object_mut().expect("an object").extend(more);
        settings
    }
}

#[tokio::test]
async fn looks_go_from_cursor_to_cursor_and_begin_at_the_last_one() {
    let server = List::start().await;
    let mut crawler = Crawler::new("http.poll", server.settings(&json!({})));
    server.page(&["a", "b"], Some("1"));
    server.page(&["c"], Some("2"));
    server.page(&[], Some("2"));
    assert_eq!(crawler.names().await, ["a", "b", "c"]);
    assert_eq!(
        server.asked(),
        [
            "get /list?of=all http/1.1",
            "get /list?of=all&since=1 http/1.1",
            "get /list?of=all&since=2 http/1.1"
        ]
    );
    server.page(&["d"], None);
    assert_eq!(crawler.names().await, ["d"]);
    assert_eq!(server.asked(), ["get /list?of=all&since=2 http/1.1"]);
    assert_eq!(crawler.checkpoint, Some(json!({ "cursor": "2" })));
}

#[tokio::test]
async fn looks_end_at_their_limit_of_pages_and_the_next_one_goes_on() {
    let server = List::start().await;
    let more = json!({ "begin_at": "start", "page_limit": 2 });
    let mut crawler = Crawler::new("http.poll", server.settings(&more));
    for (ids, next) in [(["a"], "1"), (["b"], "2"), (["c"], "3")] {
        server.page(&ids, Some(next));
    }
    server.page(&["d"], None);
    assert_eq!(crawler.names().await, ["a", "b"]);
    assert_eq!(crawler.names().await, ["c"]);
    assert_eq!(crawler.names().await, ["d"]);
    server.page(&["new"], None);
    server.asked();
    assert_eq!(crawler.names().await, ["new"]);
    assert_eq!(server.asked(), ["get /list?of=all http/1.1"]);
}

#[tokio::test]
async fn page_longer_than_a_batch_is_told_whole() {
    let server = List::start().await;
    let names: Vec<String> = (0..=BATCH_MAX).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut crawler = Crawler::new("http.poll", server.settings(&json!({})));
    server.page(&names, None);
    assert_eq!(crawler.names().await, names);
}

#[tokio::test]
async fn whoever_wants_to_be_asked_later_is() {
    let server = List::start().await;
    let mut crawler = Crawler::new("http.poll", server.settings(&json!({})));
    server.says("429 Too Many Requests", "retry-after: 0\r\n", "");
    server.page(&["a"], None);
    assert_eq!(crawler.names().await, ["a"]);
    server.says("503 Service Unavailable", "retry-after: 3600\r\n", "under repair");
    server.asked();
    let failure = crawler.look().await.expect_err("away");
    assert_eq!(failure.kind, ErrorKind::Transient);
    assert!(failure.message.contains("503 Service Unavailable: under repair"), "{failure}");
    assert_eq!(failure.retry_after.map(|wait| wait.as_secs()), Some(3_600));
    let failure = crawler.look().await.expect_err("left alone");
    assert!(failure.message.contains("wants to be asked later"), "{failure}");
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn redirects_are_followed_and_secrets_stay_where_they_belong() {
    let (server, other) = (List::start().await, List::start().await);
    let headers = json!({ "headers": { "X-Api-Key": "secret" } });
    let mut crawler = Crawler::new("http.poll", server.settings(&headers));
    server.says("302 Found", &format!("location: http://127.0.0.1:{}/moved\r\n", other.port), "");
    other.page(&["a"], None);
    assert_eq!(crawler.names().await, ["a"]);
    assert!(server.heads()[0].contains("x-api-key: secret"));
    assert!(!other.heads()[0].contains("secret"));
    server.says("302 Found", "location: file:///etc/passwd\r\n", "");
    let failure = crawler.look().await.expect_err("elsewhere");
    assert!(failure.message.contains("is no http:// or https:// URL"), "{failure}");
}

#[tokio::test]
async fn answers_that_are_none_are_told_of() {
    let server = List::start().await;
    let mut crawler = Crawler::new("http.poll", server.settings(&json!({ "max_bytes": 64 })));
    for (status, body, words, kind) in [
        ("200 OK", "x".repeat(65), "more than 64 bytes", ErrorKind::Permanent),
        ("200 OK", "<html>".to_owned(), "is no JSON", ErrorKind::Contract),
        ("401 Unauthorized", "who are you".to_owned(), "401", ErrorKind::Permanent),
        ("404 Not Found", String::new(), "answers 404 Not Found", ErrorKind::NotFound),
    ] {
        server.says(status, "", &body);
        let failure = crawler.look().await.expect_err(words);
        assert!(failure.message.contains(words), "{failure}");
        assert_eq!(failure.kind, kind);
    }
    let port = { TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr() };
    let url = format!("http://{}/?token=secret", port.expect("an address"));
    let settings = json!({ "url": url, "allow_private": true });
    let failure = Crawler::new("http.poll", settings).look().await.expect_err("nobody is there");
    assert_eq!(failure.kind, ErrorKind::Transient);
    assert!(!failure.to_string().contains("secret"), "{failure}");
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused() {
    let settings = json!({ "url": "http://169.254.169.254/latest" });
    let problems = build("http.poll", settings).err().expect("refused");
    assert!(problems[0].contains("is no public address (hint: `allow_private"), "{problems:?}");
    let server = List::start().await;
    let url = format!("http://localhost:{}/", server.port);
    let failure = Crawler::new("http.poll", json!({ "url": url })).look().await;
    let failure = failure.expect_err("this machine");
    assert!(failure.message.contains("`localhost` is"), "{failure}");
    assert_eq!((failure.kind, server.asked().len()), (ErrorKind::Permanent, 0));
}
