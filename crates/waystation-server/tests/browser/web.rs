//! A browser of a test's own.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// No wait of a test is longer.
pub const WAIT_MAX: Duration = Duration::from_secs(30);
/// How often the browser is asked whether something is there.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A browser with one window. It ends with the value.
pub struct Web {
    /// The window.
    pub window: Client,
    /// Where the pages are.
    pub base: String,
    driver: Child,
}

impl Web {
    /// A browser that looks at the pages below this address.
    pub async fn open(base: String) -> Self {
        let mut driver = Command::new("chromedriver");
        let driver = driver.arg("--port=0").stdout(Stdio::piped()).process_group(0).spawn();
        let mut driver = driver.expect("chromedriver is installed (Debian: chromium-driver)");
        let said = driver.stdout.take().expect("it is piped");
        let window = connect(port(said)).await;
        Self { window, base, driver }
    }

    /// Goes to a page.
    pub async fn go(&self, path: &str) {
        self.window.goto(&format!("{}{path}", self.base)).await.expect("a page");
    }

    /// The element, once it is there.
    pub async fn find(&self, css: &str) -> Element {
        let found = self.window.wait().at_most(WAIT_MAX).for_element(Locator::Css(css)).await;
        match found {
            Ok(found) => found,
            Err(error) => panic!("there is no {css}: {error}; {}", self.text("body").await),
        }
    }

    /// Clicks it, once it is there.
    pub async fn click(&self, css: &str) {
        self.find(css).await.click().await.expect("it can be clicked");
    }

    /// What it says.
    pub async fn text(&self, css: &str) -> String {
        let element = self.window.find(Locator::Css(css)).await.expect(css);
        element.text().await.expect("a text")
    }

    /// What a script gives.
    pub async fn run(&self, script: &str) -> Value {
        self.window.execute(script, Vec::new()).await.expect("it runs")
    }

    /// Waits until a script gives `true`.
    pub async fn until(&self, script: &str) {
        let script = format!("return Boolean({script});");
        // The driver can only be asked. While a page comes in the place of another, it cannot.
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let waiting = async {
            while self.window.execute(&script, Vec::new()).await.ok() != Some(json!(true)) {
                looks.tick().await;
            }
        };
        let Err(_) = tokio::time::timeout(WAIT_MAX, waiting).await else { return };
        panic!("never true: {script}; {}", self.text("body").await);
    }

    /// Marks the page, so that it can be told whether it was loaded again.
    pub async fn mark(&self) {
        self.run("window.marked = true;").await;
    }

    /// Whether it is still the page that was marked.
    pub async fn is_marked(&self) -> bool {
        self.run("return window.marked === true;").await == json!(true)
    }
}

async fn connect(port: u16) -> Client {
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
    ];
    let capabilities = json!({ "goog:chromeOptions": { "args": arguments } });
    let Value::Object(capabilities) = capabilities else { unreachable!("it is an object") };
    let url = format!("http://127.0.0.1:{port}");
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities).connect(&url).await.expect("a browser")
}

/// The port at which the driver says that it listens. What it says later is read, and passed over.
fn port(said: ChildStdout) -> u16 {
    let mut lines = BufReader::new(said).lines();
    let started = |line: std::io::Result<String>| {
        let line = line.ok()?;
        line.strip_suffix('.')?.rsplit_once("started successfully on port ")?.1.parse().ok()
    };
    let port = lines.by_ref().find_map(started).expect("the driver starts");
    std::thread::spawn(move || lines.for_each(drop));
    port
}

impl Drop for Web {
    fn drop(&mut self) {
        // The browser would outlive its driver: both are in a group of their own.
        let group = format!("-{}", self.driver.id());
        let _ = Command::new("kill").args(["--", &group]).status();
        let _ = self.driver.wait();
    }
}
