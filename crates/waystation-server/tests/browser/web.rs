//! A browser of a test's own.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use waystation_testing::servers::free_port;

/// No wait of a test is longer.
pub const WAIT_MAX: Duration = Duration::from_secs(30);

/// A browser with one window. It ends with the value.
pub struct Web {
    /// The window.
    pub window: Client,
    /// Where the pages are.
    pub base: String,
    driver: Child,
}

impl Web {
    /// A browser that looks at the pages below this address; none where it is not installed.
    pub async fn open(base: String) -> Option<Self> {
        let port = free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let driver = match driver {
            Ok(driver) => driver,
            Err(error) => {
                assert!(
                    std::env::var("CI").as_deref() != Ok("true"),
                    "the browser tests need chromedriver: {error}"
                );
                eprintln!("SKIPPED browser tests: chromedriver cannot be started: {error}");
                return None;
            }
        };
        let window = connect(port).await;
        Some(Self { window, base, driver })
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
        let waiting = async {
            while self.run(&script).await != json!(true) {
                // The driver has no way to be told; a frame is waited for in the browser.
                let frame = "const done = arguments[arguments.length - 1]; setTimeout(done, 50);";
                let frame = self.window.execute_async(frame, Vec::new()).await;
                frame.expect("a frame");
            }
        };
        if tokio::time::timeout(WAIT_MAX, waiting).await.is_err() {
            panic!("never true: {script}; {}", self.text("body").await);
        }
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
    let connecting = async {
        loop {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            match builder.capabilities(capabilities.clone()).connect(&url).await {
                Ok(window) => return window,
                Err(error) if is_early(&error) => tokio::task::yield_now().await,
                Err(error) => panic!("no browser: {error}"),
            }
        }
    };
    tokio::time::timeout(WAIT_MAX, connecting).await.expect("the driver answers")
}

/// Whether the driver does not listen yet.
fn is_early(error: &fantoccini::error::NewSessionError) -> bool {
    use fantoccini::error::NewSessionError;
    matches!(error, NewSessionError::Failed(_) | NewSessionError::Lost(_))
}

impl Drop for Web {
    fn drop(&mut self) {
        // The browser is the driver's child, and ends with it.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
