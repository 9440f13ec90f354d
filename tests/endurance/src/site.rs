//! An app with an address, its clients, and its reloads.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::crowd::Crowd;
use crate::processes::{self, until};
use crate::world::World;

const SOON: Duration = Duration::from_secs(60);

/// What an app is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Our sample app.
    Sample,
    /// The standard library of Python 3.
    Python,
    /// The standard library of Node.
    Node,
}

impl Language {
    /// The command of its server; `None` where this machine does not have it.
    pub fn command(self) -> Option<String> {
        let servers = concat!(env!("CARGO_MANIFEST_DIR"), "/servers");
        match self {
            Self::Sample => Some("faultapp --listen --keep-alive".to_owned()),
            Self::Python => said("python3", "import sys; print(sys.executable)")
                .map(|it| format!("{it} {servers}/web.py")),
            Self::Node => {
                said("node", "console.log(process.execPath)").map(|it| format!("{it} {servers}/web.js"))
            }
        }
    }

    /// Its name as that of an app.
    pub fn app(self) -> &'static str {
        match self {
            Self::Sample => "sample",
            Self::Python => "python",
            Self::Node => "node",
        }
    }
}

/// The path of an interpreter, which it knows itself: the command may be a link to something that needs this environment.
fn said(interpreter: &str, program: &str) -> Option<String> {
    let option = if interpreter == "node" { "-e" } else { "-c" };
    let ran = Command::new(interpreter).args([option, program]).output().ok()?;
    let path = String::from_utf8(ran.stdout).ok()?.trim().to_owned();
    Path::new(&path).is_file().then_some(path)
}

/// An app that runs, and its clients.
#[derive(Debug)]
pub struct Site<'a> {
    world: &'a World,
    app: &'static str,
    source: String,
    /// Where it is reached.
    pub address: SocketAddr,
    /// Its clients.
    pub crowd: Crowd,
}

/// How an app is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// At an address that stays.
    AtAddress,
    /// At the port of its instance, which each new one binds anew.
    AtPort,
}

/// A reload that has succeeded.
#[derive(Debug)]
pub struct Reload {
    /// The receipt's object in the events.
    pub receipt: Value,
}

impl<'a> Site<'a> {
    /// Deploys an app, and begins to ask it.
    pub fn open(world: &'a World, language: Language, command: &str, reached: Reached) -> Result<Self> {
        let app = language.app();
        let (directory, address) = (world.path(&format!("source-{app}")), some_address()?);
        fs::create_dir_all(&directory)?;
        fs::create_dir_all(world.path("home").join(app))?;
        fs::write(directory.join("Procfile"), format!("web: {command}\n"))?;
        world.does(&["ps-set", app, "ready", "listening"])?;
        let source = directory.display().to_string();
        let (count, listen) = match reached {
            Reached::AtAddress => ("web=2", address.to_string()),
            Reached::AtPort => ("web=1", "none".to_owned()),
        };
        if reached == Reached::AtPort {
            world.does(&["ps-set", app, "port", &address.port().to_string()])?;
        }
        let deploy = ["ps-lifecycle", "deploy", app, "--dir", &source, "--scale", count, "--listen", &listen];
        while let Err(error) = world.does(&deploy) {
            ensure!(is_port_taken(&error), error);
        }
        Ok(Self { world, app, source, address, crowd: Crowd::of(address) })
    }

    /// The processes that serve.
    pub fn pids(&self) -> Result<Vec<u32>> {
        let pids = self.world.pids(self.app)?;
        pids.into_values().map(|pid| Ok(u32::try_from(pid)?)).collect()
    }

    /// The `ps-balance` of its address, once there is one.
    pub fn balance(&self) -> Result<u32> {
        let service = self.world.service(self.app);
        let found = || processes::at_work_in(&service, "ps-balance").first().copied();
        until("ps-balance lives", SOON, found)
    }

    fn verb(&self, round: usize) -> Result<Verb> {
        let deploy = ["ps-lifecycle", "deploy", self.app, "--dir", &self.source];
        let restart = ["ps-lifecycle", "restart", self.app];
        let words = if round.is_multiple_of(2) { &restart[..] } else { &deploy[..] };
        Verb::start(self.world.command(&[words, &["--format", "json"]].concat())?)
    }

    /// Has every instance replaced while clients ask, by a deploy and by a restart in turn.
    pub fn reload(&self, round: usize) -> Result<Reload> {
        self.verb(round)?.end()
    }

    /// The same, but for the mistake: an instance is ended as soon as the next one is up, with the connections that it has.
    pub fn reload_without_draining(&self, round: usize) -> Result<()> {
        let old = self.pids()?;
        let mut verb = self.verb(round)?;
        verb.hear("start", "done")?;
        old.into_iter().try_for_each(processes::kill)?;
        // Whether it calls that a success is not what this is about.
        let _ = verb.end();
        Ok(())
    }

    /// The same where all connections of clients begin and end while the rollout counts: a connection to an earlier instance keeps the
    /// rollout from its end until all of them have ended.
    pub fn counted_reload(&self, round: usize) -> Result<Reload> {
        self.crowd.hold()?;
        let (old, before) = (self.pids()?, self.crowd.connections());
        let kept = self.kept()?;
        let mut verb = self.verb(round)?;
        verb.hear("start", "done")?;
        self.crowd.go_on();
        if !self.crowd.is_answered_by_others_than(&old, || verb.has_ended())? {
            verb.end()?;
            bail!("it succeeded, and no new process has answered");
        }
        self.crowd.is_answered(100)?;
        self.crowd.hold()?;
        let counted = self.crowd.connections() - before;
        drop(kept);
        let reload = verb.end()?;
        self.crowd.go_on();
        let number = |name: &str| reload.receipt[name].as_u64().unwrap_or(0);
        ensure!(
            number("before") + number("after") == counted,
            "clients made {counted} connections: {}",
            reload.receipt
        );
        ensure!(number("after") > 0 && number("drained") > 0, "{}", reload.receipt);
        Ok(reload)
    }

    /// A connection to an instance that has been answered, and whose next request has begun: Node closes one without a request
    /// after five seconds.
    fn kept(&self) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(SOON))?;
        stream.write_all(b"GET /echo/0 HTTP/1.1\r\nHost: shop\r\n\r\n")?;
        ensure!(stream.read(&mut [0])? == 1, "no answer");
        stream.write_all(b"POST /echo/1 HTTP/1.1\r\nHost: shop\r\nContent-Length: 1\r\n\r\n")?;
        Ok(stream)
    }
}

/// Whether a reload has failed because a process of another world has bound the port of an instance first: supervisors know of each
/// other's ports, but not of those of another root, and tests run beside each other.
pub fn is_port_taken(error: &anyhow::Error) -> bool {
    let said = format!("{error:#}");
    ["Address already in use", "EADDRINUSE"].iter().any(|word| said.contains(word))
}

impl Reload {
    /// That no connection was refused, cut or lost.
    pub fn is_clean(&self) -> Result<()> {
        let receipt = &self.receipt;
        let is_none = |name: &str| receipt[name] == 0;
        let is_clean =
            is_none("refused") && receipt["cut"] == serde_json::json!({}) && receipt["is_whole"] == true;
        if is_clean { Ok(()) } else { bail!("{receipt}") }
    }
}

/// A verb that tells what it does in events.
struct Verb {
    child: Child,
    events: std::io::Lines<BufReader<std::process::ChildStdout>>,
    receipt: Option<Value>,
}

impl Verb {
    fn start(mut command: Command) -> Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let events = BufReader::new(child.stdout.take().context("a pipe")?).lines();
        Ok(Self { child, events, receipt: None })
    }

    fn next(&mut self) -> Result<Option<Value>> {
        let Some(line) = self.events.next() else { return Ok(None) };
        let event: Value = serde_json::from_str(&line?)?;
        if event["phase"] == "receipt" {
            self.receipt = Some(event["receipt"].clone());
        }
        Ok(Some(event))
    }

    /// Reads up to an event of this phase with this outcome.
    fn hear(&mut self, phase: &str, outcome: &str) -> Result<()> {
        while let Some(event) = self.next()? {
            if event["phase"] == phase && event["outcome"] == outcome {
                return Ok(());
            }
        }
        bail!("it ended before {phase} was {outcome}")
    }

    /// Whether its process is over, which waits for nobody: what it tells fits into a pipe.
    fn has_ended(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// Reads it to its end, which must be a success.
    fn end(mut self) -> Result<Reload> {
        while self.next()?.is_some() {}
        let ran = self.child.wait_with_output()?;
        let said = String::from_utf8_lossy(&ran.stderr);
        ensure!(ran.status.success(), "{}: {said}", ran.status);
        Ok(Reload { receipt: self.receipt.unwrap_or_default() })
    }
}

fn some_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
