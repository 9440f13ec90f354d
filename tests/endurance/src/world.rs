//! Two roots of their own, the real programs, and apps that run there. All that was started in a world ends with it.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use faults::programs;
use serde_json::Value;
use tempfile::TempDir;

use crate::processes::{self, until};

/// A base below which each type of an app here has its ports. It lies where neither the kernel chooses ports for connections nor a
/// supervisor spare ones, because an app with thousands of deaths would meet one of those.
fn port_of_its_own() -> Result<u16> {
    let is_free = |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
    let ports =
        |base: u16| (0..TYPES).flat_map(move |place| (0..INSTANCES).map(move |n| base + 100 * place + n));
    let bases = (0..TRIES)
        .map(|_| BASES.start + u16::try_from(chance() % u64::from(BASES.end - BASES.start)).unwrap_or(0));
    let found = bases.into_iter().find(|base| ports(*base).all(is_free));
    found.context("no ports are free")
}

/// A number that nobody foresees.
fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

const BASES: Range<u16> = 10_000..19_000;
const TRIES: usize = 1000;
/// No app here has more of them.
const TYPES: u16 = 5;
const INSTANCES: u16 = 10;
/// What should come by itself comes within so long.
const SOON: Duration = Duration::from_secs(60);
/// A verb that brings back a supervisor does not wait for the delay of a restart, which is a minute for what keeps dying.
const VERB: Duration = Duration::from_secs(30);

/// The roots, and what runs there.
#[derive(Debug)]
pub struct World(TempDir);

impl World {
    /// An empty one; the programs are built first.
    pub fn new() -> Result<Self> {
        programs::build()?;
        let world = Self(tempfile::Builder::new().prefix("endurance.").tempdir()?);
        for part in ["home", "lib"] {
            fs::create_dir(world.path(part))?;
        }
        // Not every `web` of these tests listens.
        fs::create_dir_all(world.path("lib/config/ps/--global"))?;
        fs::write(world.path("lib/config/ps/--global/ready"), "alive")?;
        // Who tests an address asks for one.
        fs::write(world.path("lib/config/ps/--global/listen"), "none")?;
        Ok(world)
    }

    /// A path in it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// One of our programs, in this world and nothing else.
    pub fn command(&self, words: &[&str]) -> Result<Command> {
        let mut command = Command::new(programs::path(words[0])?);
        let place = programs::directory()?;
        command.args(&words[1..]).env_clear().current_dir(self.0.path()).stdin(Stdio::null());
        command.env("PATH", format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", place.display()));
        command.env("HOME", self.0.path());
        command.env("DOKKU_ROOT", self.path("home")).env("DOKKU_LIB_ROOT", self.path("lib"));
        Ok(command)
    }

    /// Runs a program that must succeed; what it printed.
    pub fn does(&self, words: &[&str]) -> Result<String> {
        let ran = self.command(words)?.output().with_context(|| format!("run {words:?}"))?;
        let said = String::from_utf8_lossy(&ran.stderr);
        ensure!(ran.status.success(), "{words:?}: {}: {said}", ran.status);
        Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
    }

    /// Deploys an app from this Procfile, with so many of each type (`web=1`), 10 of each at most.
    pub fn deploy(&self, app: &str, procfile: &str, counts: &[&str]) -> Result<()> {
        if !self.path("lib/data/scheduler-native").join(app).exists() {
            // Other tests run beside this one, each in a world that knows nothing of the ports of the others.
            fs::create_dir_all(self.path("home").join(app))?;
            self.does(&["ps-set", app, "port", &port_of_its_own()?.to_string()])?;
        }
        self.deploy_with_any_ports(app, procfile, counts)
    }

    /// The same of any number of instances, none of which listens.
    pub fn deploy_with_any_ports(&self, app: &str, procfile: &str, counts: &[&str]) -> Result<()> {
        let source = self.path(&format!("source-{app}"));
        fs::create_dir_all(&source)?;
        fs::write(source.join("Procfile"), procfile)?;
        let source = source.display().to_string();
        let mut words = vec!["ps-lifecycle", "deploy", app, "--dir", &source];
        words.extend(counts.iter().flat_map(|count| ["--scale", count]));
        self.does(&words).map(drop)
    }

    /// The rows of `status`, by slot; an error where two runs are in one slot.
    pub fn status(&self, app: &str) -> Result<BTreeMap<String, Value>> {
        let rows = self.does(&["ps-lifecycle", "status", app, "--json"])?;
        let mut by_slot = BTreeMap::new();
        for line in rows.lines() {
            let row: Value = serde_json::from_str(line)?;
            let process_type = row["process_type"].as_str().context("a row names its process type")?;
            let slot = format!("{process_type}.{}", row["index"]);
            ensure!(by_slot.insert(slot, row).is_none(), "two runs in one slot:\n{rows}");
        }
        Ok(by_slot)
    }

    /// Slot to pid of what runs.
    pub fn pids(&self, app: &str) -> Result<BTreeMap<String, u64>> {
        Ok(self
            .status(app)?
            .into_iter()
            .filter_map(|(slot, row)| Some((slot, row["pid"].as_u64()?)))
            .collect())
    }

    /// The directory that the supervisor of an app keeps.
    pub fn service(&self, app: &str) -> PathBuf {
        self.path("lib/data/scheduler-native").join(app)
    }

    /// The supervisor of an app, once there is exactly one.
    pub fn supervisor(&self, app: &str) -> Result<u32> {
        let service = self.service(app);
        until("one supervisor", SOON, || match processes::supervisors(&service)[..] {
            [pid] => Some(pid),
            _ => None,
        })
    }

    /// The root of this world, if it has one: the first verb that changes something starts it.
    pub fn root(&self) -> Option<u32> {
        processes::supervisors(&self.path("lib")).first().copied()
    }

    /// Waits until somebody supervises an app again: where there is a root it sees to that, else the next verb does. How
    /// long it took until what runs was taken over. The verb itself may take longer: it waits for a second of life of what it had to start.
    pub fn succeed(&self, app: &str) -> Result<Duration> {
        let began = Instant::now();
        let has_root = self.root().is_some();
        let mut verb = self.command(&["ps-lifecycle", "start", app])?;
        let verb = verb.stdout(Stdio::null()).stderr(Stdio::piped());
        let verb = (!has_root).then(|| verb.spawn()).transpose()?;
        let socket = self.service(app).join("control");
        let answered = until("the next supervisor answers", SOON, || {
            std::os::unix::net::UnixStream::connect(&socket).ok().filter(answers)
        });
        let took = began.elapsed();
        if let Some(verb) = verb {
            let ran = verb.wait_with_output()?;
            let said = String::from_utf8_lossy(&ran.stderr);
            ensure!(ran.status.success(), "start {app}: {}: {said}", ran.status);
            ensure!(began.elapsed() < VERB, "start {app} took {:?}: {said}", began.elapsed());
        }
        answered.map(|_| took)
    }

    /// What a slot has written to stdout, all of its files one after the other.
    pub fn log(&self, app: &str, slot: &str) -> Result<Vec<u8>> {
        let directory = self.service(app).join(slot).join("log");
        let mut files: Vec<(Vec<u64>, PathBuf)> = fs::read_dir(&directory)?
            .flatten()
            .filter_map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                let numbers =
                    name.strip_prefix("stdout.")?.trim_end_matches(".gz").split('.').map(str::parse);
                Some((numbers.collect::<Result<_, _>>().ok()?, entry.path()))
            })
            .collect();
        files.sort();
        // While a segment is being compressed, both are there.
        files.dedup_by(|later, earlier| later.0 == earlier.0);
        let mut log = Vec::new();
        for (_, file) in files {
            // A full segment is compressed by and by.
            let unpacked = Command::new("gzip").args(["-dcf", "--"]).arg(&file).output()?;
            ensure!(unpacked.status.success(), "{}: {unpacked:?}", file.display());
            log.extend(unpacked.stdout);
        }
        Ok(log)
    }

    /// Every process of an app: its pid and command line.
    pub fn processes(&self, app: &str) -> BTreeMap<u32, String> {
        processes::with_variable(&format!("FORMATION_INSTANCE={}/", self.service(app).display()))
    }
}

/// Whether a supervisor answers a question: it does so once it has taken over what runs.
fn answers(stream: &std::os::unix::net::UnixStream) -> bool {
    use std::io::{BufRead, BufReader, Write};
    let ask = || -> std::io::Result<bool> {
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let mut stream = stream;
        stream.write_all(b"{\"do\":\"apply\"}\n")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        Ok(!line.is_empty())
    };
    ask().unwrap_or(false)
}

impl Drop for World {
    fn drop(&mut self) {
        for app in fs::read_dir(self.path("home")).into_iter().flatten().flatten() {
            let _ = self.does(&["ps-lifecycle", "destroy", &app.file_name().to_string_lossy()]);
        }
        let mark = format!("HOME={}", Path::new(self.0.path()).display());
        for pid in self.root().into_iter().chain(processes::with_variable(&mark).into_keys()) {
            let _ = processes::kill(pid);
        }
    }
}
