//! A browser of a test's own: Chromium, driven over `WebDriver`.
//!
//! Tests that need it have `chromedriver` in their names, by which `cargo xtask test` leaves them
//! out, loudly, where it is not installed.

mod driver;

use std::time::Duration;

use fantoccini::actions::{InputSource, MouseActions, PointerAction};
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use driver::Driver;

/// No wait of a test is longer.
pub const WAIT_MAX: Duration = Duration::from_secs(30);
/// How often the browser is asked whether something is there.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A browser with one window. It ends with the value, and with the process that holds it.
pub struct Web {
    /// The window.
    pub window: Client,
    /// Where the pages are.
    pub base: String,
    driver: Driver,
}

impl Web {
    /// A browser that looks at the pages below this address.
    pub async fn open(base: impl Into<String>) -> Self {
        let driver = Driver::start(WAIT_MAX);
        let connected = tokio::time::timeout(WAIT_MAX, connect(&driver)).await;
        let window = connected.expect("the browser starts in time");
        Self { window, base: base.into(), driver }
    }

    /// The group of all its processes.
    pub fn process_group(&self) -> u32 {
        self.driver.group()
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

    /// Writes this into it, or presses these keys on it, once it is there.
    pub async fn write(&self, css: &str, keys: &str) {
        self.find(css).await.send_keys(keys).await.expect("it takes keys");
    }

    /// Drags it by the mouse, so many pixels to the right and down.
    pub async fn drag(&self, css: &str, (right, down): (f64, f64)) {
        let rectangle = self.find(css).await.rectangle().await.expect("it is drawn");
        let (left, top, width, height) = rectangle;
        let (x, y) = (left + width / 2.0, top + height / 2.0);
        let to = |x, y| PointerAction::MoveTo { duration: None, x, y };
        let drag = MouseActions::new("mouse".to_owned())
            .then(to(x, y))
            .then(PointerAction::Down { button: 0 })
            .then(to(x + right / 2.0, y + down / 2.0))
            .then(to(x + right, y + down))
            .then(PointerAction::Up { button: 0 });
        self.window.perform_actions(drag).await.expect("it can be dragged");
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

async fn connect(driver: &Driver) -> Client {
    let arguments = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1280,900",
        &format!("--user-data-dir={}", driver.profile().display()),
    ];
    let milliseconds = WAIT_MAX.as_millis() as u64;
    let capabilities = json!({
        "goog:chromeOptions": { "args": arguments },
        "timeouts": { "pageLoad": milliseconds, "script": milliseconds },
    });
    let Value::Object(capabilities) = capabilities else { unreachable!("it is an object") };
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities).connect(driver.address()).await.expect("a browser")
}
