//! A world of its own for one verb: made once by its `before` commands, then put back before each fault.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::programs;
use crate::snapshot::{Snapshot, copy_tree};
use crate::verb::Verb;

/// The longest that one run of a verb may take.
pub const RUN_LIMIT: Duration = Duration::from_secs(120);

/// What a run came to.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub status: ExitStatus,
    /// What it said.
    pub stderr: String,
}

/// Directories `world` (with `home` and `lib`), `template` (the world before) and `scratch` (ours).
#[derive(Debug)]
pub struct Sandbox {
    dir: TempDir,
}

impl Sandbox {
    /// An empty world.
    pub fn new() -> Result<Self> {
        let sandbox = Self { dir: tempfile::Builder::new().prefix("faults.").tempdir()? };
        for part in ["world/home", "world/lib", "scratch"] {
            fs::create_dir_all(sandbox.dir.path().join(part))?;
        }
        // Two worlds of this machine could choose the same address at the same moment.
        let for_all = sandbox.world().join("lib/config/ps/--global");
        fs::create_dir_all(&for_all)?;
        fs::write(for_all.join("listen"), "none")?;
        Ok(sandbox)
    }

    /// The world before a verb.
    pub fn before(verb: &Verb) -> Result<Self> {
        let sandbox = Self::new()?;
        for command in &verb.before {
            let ran = sandbox.run(command)?;
            ensure!(ran.status.success(), "{command:?}: {} {}", ran.status, ran.stderr);
        }
        copy_tree(&sandbox.world(), &sandbox.template())?;
        Ok(sandbox)
    }

    /// Holds `home` and `lib`.
    pub fn world(&self) -> PathBuf {
        self.dir.path().join("world")
    }

    /// A file of ours, outside the world.
    pub fn scratch(&self, name: &str) -> PathBuf {
        self.dir.path().join("scratch").join(name)
    }

    /// Puts the world back to how it was before the verb.
    pub fn restore(&self) -> Result<()> {
        fs::remove_dir_all(self.world()).context("clear the world")?;
        copy_tree(&self.template(), &self.world())
    }

    /// Every file of the world.
    pub fn snapshot(&self) -> Result<Snapshot> {
        Snapshot::of(&self.world())
    }

    /// Runs one of our programs in this world.
    pub fn run(&self, words: &[String]) -> Result<Ran> {
        let (program, arguments) = words.split_first().context("a command has a program")?;
        let mut command = self.command(&programs::path(program)?);
        command.args(self.placed(arguments));
        self.finish(&mut command)
    }

    /// Words of a table in this world: `{home}` is where the apps' files lie.
    pub fn placed(&self, words: &[String]) -> Vec<String> {
        let home = self.world().join("home").display().to_string();
        words.iter().map(|word| word.replace("{home}", &home)).collect()
    }

    /// A command that sees this world and nothing else of ours.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir("/");
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C").env("HOME", self.dir.path());
        command.env("DOKKU_ROOT", self.world().join("home")).env("DOKKU_LIB_ROOT", self.world().join("lib"));
        command
    }

    /// Runs a command to its end, or kills it after [`RUN_LIMIT`].
    pub fn finish(&self, command: &mut Command) -> Result<Ran> {
        let said = self.scratch("stderr");
        let file = File::create(&said)?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let mut child = command.spawn().with_context(|| format!("run {command:?}"))?;
        let status = wait(&mut child).with_context(|| format!("run {command:?}"))?;
        let stderr = String::from_utf8_lossy(&fs::read(&said)?).into_owned();
        Ok(Ran { status, stderr })
    }

    fn template(&self) -> PathBuf {
        self.dir.path().join("template")
    }
}

fn wait(child: &mut Child) -> Result<ExitStatus> {
    let deadline = Instant::now() + RUN_LIMIT;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            bail!("still running after {RUN_LIMIT:?}");
        }
        thread::sleep(Duration::from_micros(500));
    }
}
