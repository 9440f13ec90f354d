//! A real browser without a window, told what to do by the protocol of its developer tools.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

use crate::home::{SOON, eventually};
use crate::program::Running;

const PROGRAM: &str = "chromium-headless-shell";

/// The browser with one page.
pub(crate) struct Browser {
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    session: String,
    last: u64,
    /// What the page has complained about.
    complaints: VecDeque<String>,
    _running: Running,
    _directory: TempDir,
}

impl Browser {
    /// `None`: there is no such browser here, which is noted.
    pub(crate) fn begin() -> Option<Self> {
        let is_there = Command::new(PROGRAM).arg("--version").output().is_ok_and(|ran| ran.status.success());
        if !is_there {
            skipped::skip(format_args!("{PROGRAM} is not installed"));
            return None;
        }
        let directory = TempDir::new().expect("a directory");
        let log = directory.path().join("log");
        let mut command = Command::new(PROGRAM);
        command.args([
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--remote-debugging-port=0",
        ]);
        command.arg(format!("--user-data-dir={}", directory.path().join("profile").display()));
        command.env("HOME", directory.path()).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log).expect("a log"));
        let running = Running::begin(command);
        let address = eventually("the browser listens", || {
            let said = fs::read_to_string(&log).map_err(|error| error.to_string())?;
            let address = said.lines().find_map(|line| line.strip_prefix("DevTools listening on "));
            address.map(str::to_owned).ok_or(said)
        });
        let (socket, _) = tungstenite::connect(&address).expect("it answers");
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(SOON)).expect("a timeout");
        }
        let mut browser = Self {
            socket,
            session: String::new(),
            last: 0,
            complaints: VecDeque::new(),
            _running: running,
            _directory: directory,
        };
        let target = browser.says("Target.createTarget", &json!({"url": "about:blank"}));
        let attached =
            browser.says("Target.attachToTarget", &json!({"targetId": target["targetId"], "flatten": true}));
        attached["sessionId"].as_str().expect("a session").clone_into(&mut browser.session);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.says(domain, &json!({}));
        }
        Some(browser)
    }

    /// What the browser answers to this.
    pub(crate) fn says(&mut self, method: &str, parameters: &Value) -> Value {
        self.last += 1;
        let mut message = json!({"id": self.last, "method": method, "params": parameters});
        if !self.session.is_empty() {
            message["sessionId"] = self.session.as_str().into();
        }
        self.socket.send(Message::text(message.to_string())).expect("it reads");
        loop {
            let Message::Text(text) = self.socket.read().expect("it answers") else { continue };
            let message: Value = serde_json::from_str(&text).expect("JSON");
            if message["id"] == self.last {
                assert_eq!(message["error"], Value::Null, "{method}");
                return message["result"].clone();
            }
            self.note(&message);
        }
    }

    fn note(&mut self, message: &Value) {
        let is_complaint = match message["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => message["params"]["type"] == "error",
            Some("Log.entryAdded") => message["params"]["entry"]["level"] == "error",
            _ => false,
        };
        if is_complaint {
            self.complaints.push_back(message["params"].to_string());
        }
    }

    /// The value of an expression on the page.
    pub(crate) fn finds(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let found = self.says("Runtime.evaluate", &asked);
        assert_eq!(found["exceptionDetails"], Value::Null, "{expression}");
        found["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub(crate) fn until(&mut self, expression: &str) {
        eventually(expression, || {
            let found = self.finds(expression);
            if found == true { Ok(()) } else { Err(self.finds("document.body?.innerText").to_string()) }
        });
    }

    pub(crate) fn goes_to(&mut self, address: &str) {
        self.says("Page.navigate", &json!({"url": address}));
    }

    /// What the page has complained about until now.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // Whatever came before the answer to this is noted.
        self.finds("1");
        self.complaints.drain(..).collect()
    }

    /// A screen of this width, light or dark.
    pub(crate) fn looks_like(&mut self, width: u32, scheme: &str) {
        let height = if width < 500 { 844 } else { 800 };
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500});
        self.says("Emulation.setDeviceMetricsOverride", &size);
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.says("Emulation.setEmulatedMedia", &scheme);
    }

    /// A picture, as PNG.
    pub(crate) fn picture(&mut self) -> Vec<u8> {
        let picture = self.says("Page.captureScreenshot", &json!({"format": "png"}));
        BASE64_STANDARD.decode(picture["data"].as_str().expect("a picture")).expect("base64")
    }
}
