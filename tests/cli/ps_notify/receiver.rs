//! A webhook that is a program of its own, and what it was sent.

use std::fs;
use std::io::Write;
use std::ops::Deref;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal};
use serde_json::Value;
use tempfile::TempDir;

use crate::home::{Home, eventually};

/// What makes the address a secret.
pub(crate) const SECRET: &str = "/hook/T0pS3cret-0815";

/// The server, which ends with this value.
pub(crate) struct Receiver {
    place: TempDir,
    server: Child,
    scheme: &'static str,
}

impl Receiver {
    /// One that answers with these statuses, and then with 200; `never` is no answer. `None`: there is no python3, which is a skip.
    pub(crate) fn start(plan: &str) -> Option<Self> {
        Self::with(plan, &[])
    }

    /// The same, which speaks TLS with the certificate in this directory.
    pub(crate) fn encrypted(certificate: &Path) -> Option<Self> {
        Self::with("", &[certificate])
    }

    fn with(plan: &str, certificate: &[&Path]) -> Option<Self> {
        let place = TempDir::new().expect("a temporary directory");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/cli/ps_notify/receiver.py");
        let server =
            Command::new("python3").arg(script).arg(place.path()).arg(plan).args(certificate).spawn();
        let Ok(server) = server else {
            skipped::skip("python3 is not installed");
            return None;
        };
        let scheme = if certificate.is_empty() { "http" } else { "https" };
        Some(Self { place, server, scheme })
    }

    /// Its address.
    pub(crate) fn address(&self) -> String {
        let port = eventually("the server listens", || {
            fs::read_to_string(self.place.path().join("port")).map_err(|error| error.to_string())
        });
        format!("{}://127.0.0.1:{port}{SECRET}", self.scheme)
    }

    /// What it was sent so far, every try.
    pub(crate) fn tries(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.place.path().join("tries")).unwrap_or_default();
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// Waits for an alert of this event that was taken.
    pub(crate) fn takes(&self, event: &str) -> Value {
        let alert = self.try_of(event, "200")["alert"].clone();
        is_as_its_schema_says(&alert);
        alert
    }

    /// Waits for a try to send an alert of this event that was answered so.
    pub(crate) fn try_of(&self, event: &str, answer: &str) -> Value {
        eventually(&format!("{event} is answered with {answer}"), || {
            let tries = self.tries();
            let is_it = |told: &&Value| told["alert"]["event"] == event && told["answer"] == answer;
            tries.iter().find(is_it).cloned().ok_or_else(|| format!("{tries:#?}"))
        })
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// That an alert is what docs/schemas says.
pub(crate) fn is_as_its_schema_says(alert: &Value) {
    let schema = serde_json::from_str(include_str!("../../../docs/schemas/alert.json")).expect("JSON");
    assert_eq!(crate::schema::complaints(&schema, alert), [""; 0], "{alert:#}");
}

/// A home that forgets what was set for all of its apps before it looks for what is left.
pub(crate) struct Place(Home);

impl Place {
    pub(crate) fn new() -> Self {
        Self(Home::new())
    }
}

impl Deref for Place {
    type Target = Home;

    fn deref(&self) -> &Home {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for property in ["restart-policy", "webhook"] {
            // It need not have been set.
            let _ = fs::remove_file(self.path("lib/config/ps/--global").join(property));
        }
    }
}

/// A home whose apps have this address.
pub(crate) fn home_of(address: &str) -> Place {
    let home = Place::new();
    set(&home, "--global", address);
    home
}

/// Sets the address of an app, by stdin.
pub(crate) fn set(home: &Home, whose: &str, address: &str) {
    let mut command = home.command(&["ps-set", whose, "webhook", "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    child.stdin.take().expect("a pipe").write_all(format!("{address}\n").as_bytes()).expect("it reads");
    let ended = child.wait_with_output().expect("it ends");
    assert!(ended.status.success(), "{ended:?}");
    let said = [ended.stdout, ended.stderr].concat();
    assert!(!String::from_utf8_lossy(&said).contains(address), "{said:?}");
}

/// Deploys an app whose `web` lives until it is killed, and is given up then.
pub(crate) fn deploy(home: &Home, policy: &str) {
    home.does(&["ps-set", "--global", "restart-policy", policy]);
    let source = home.source("shop", "web: exec sleep 1000\n");
    home.does(&["ps-lifecycle", "deploy", "shop", "--dir", &source]);
}

/// Kills what runs.
pub(crate) fn kill(home: &Home) -> u64 {
    let pid = home.pids("shop")["web.1"];
    let raw = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
    rustix::process::kill_process(raw, Signal::KILL).expect("it lives");
    pid
}

/// The processes that tell at this moment.
pub(crate) fn tellers(home: &Home) -> Vec<Pid> {
    let is_one = |words: &str| words.contains("ps-notify shop");
    home.processes().into_iter().filter(|(_, words)| is_one(words)).map(|(pid, _)| pid).collect()
}

/// What the journal says that comes from telling itself.
pub(crate) fn failures(home: &Home) -> Vec<String> {
    let text = fs::read_to_string(home.path("lib/data/formation/shop/journal")).unwrap_or_default();
    let entries = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours = entries.filter(|entry| entry["origin"] == "alerts");
    ours.filter_map(|entry| Some(entry["what"].as_str()?.to_owned())).collect()
}
