//! `--world` and `--all-worlds` of every program that works on apps. A program and the programs that it runs work in one world (one set
//! of apps), which its environment names. To work in another world, the program executes itself again with that world in its
//! environment: `ps-set --world w …` becomes `env DOKKU_ROOT=w/home DOKKU_LIB_ROOT=w/lib ps-set …`. For all worlds, it runs itself once
//! for each.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use ps_apps::World;
use rustix::process::Signal;

use crate::exit::{self, FAILED, Outcome, Refusal};

/// Tells a program that it was run for one of all worlds.
const ONE_OF_ALL: &str = "FORMATION_ONE_OF_ALL_WORLDS";
/// The kernel's link to the executable of the process that opens it. It stays right even if another file is at the executable's path by
/// now.
const OWN_PROGRAM: &str = "/proc/self/exe";

// The option `--world`.
#[derive(Clone, Debug, Default, clap::Args)]
#[expect(missing_docs, reason = "clap would print it in place of what a command says of itself")]
pub struct WorldArg {
    /// The world (set of apps) to use: pm2, default, or a directory [default: that of DOKKU_ROOT and DOKKU_LIB_ROOT]
    #[arg(long = "world", value_name = "pm2|DIR", global = true)]
    world: Option<PathBuf>,
}

// The option `--all-worlds` of programs that only read.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[expect(missing_docs, reason = "clap would print it in place of what a command says of itself")]
pub struct AllWorldsArg {
    /// Every world of this user, one after the other
    #[arg(long = "all-worlds")]
    all_worlds: bool,
}

/// How the output of several worlds is kept apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A heading above the output of each world.
    Parts,
    /// The world's name before each line.
    Lines,
    /// Each line is a JSON object, which gets the key `world`.
    Json,
    /// The table gets the column `world`.
    Csv,
}

impl WorldArg {
    /// The world of this process. If the command line asks for another one, the program executes itself again there.
    ///
    /// # Errors
    /// There is no such world, or the program runs inside Dokku, which has one world.
    pub fn open(&self) -> Result<World> {
        end_with_parent();
        let here = World::from_env()?;
        let Some(word) = &self.world else { return Ok(here) };
        if here.inside_dokku() {
            return Err(Refusal::usage("inside Dokku there is one world: leave --world out"));
        }
        let there = World::named(word)?;
        if there.is_same(&here) {
            return Ok(here);
        }
        let error = again(&there).exec();
        Err(error).context("run this program in another world")
    }

    /// Whether a world was named.
    pub fn is_given(&self) -> bool {
        self.world.is_some()
    }
}

impl AllWorldsArg {
    /// Whether `--all-worlds` was given, and this process was not itself started for one of them.
    pub fn is_given(self) -> bool {
        self.all_worlds && ps_apps::variable(ONE_OF_ALL).is_none()
    }

    /// Whether `--all-worlds` was given, so that no remark about other worlds is needed.
    pub fn knows_all(self) -> bool {
        self.all_worlds
    }

    /// Runs this program once in each world that `is_meant` accepts, with the arguments of this process. The outcome is the highest
    /// exit status.
    ///
    /// # Errors
    /// `is_meant` accepts no world: its error for the first one. Or a program cannot be run, or stdout cannot be written.
    pub fn each(
        self,
        world: &WorldArg,
        shape: Shape,
        is_meant: impl Fn(&World) -> Result<()>,
    ) -> Result<Outcome> {
        let here = World::from_env()?;
        if here.inside_dokku() {
            return Err(Refusal::usage("inside Dokku there is one world: leave --all-worlds out"));
        }
        if world.is_given() {
            return Err(Refusal::usage(
                "--world and --all-worlds cannot be used together: leave one of them out",
            ));
        }
        let (known, mut why_not) = (std::iter::once(here.clone()).chain(here.others()), None);
        let meant: Vec<World> = known
            .filter(|world| match is_meant(world) {
                Ok(()) => true,
                Err(error) => {
                    why_not.get_or_insert(error);
                    false
                }
            })
            .collect();
        match (why_not, &meant[..]) {
            (Some(why_not), []) => Err(why_not),
            _ if shape == Shape::Parts => parts(&meant),
            _ => lines(&meant, shape),
        }
    }
}

/// The process of one world ends when the process that started it ends.
fn end_with_parent() {
    if ps_apps::variable(ONE_OF_ALL).is_some() {
        let _ = rustix::process::set_parent_process_death_signal(Some(Signal::TERM));
    }
}

/// A line about the worlds that are not shown, with the number of apps of each. `None`: no other world has apps.
pub fn not_shown(here: &World) -> Option<String> {
    if here.inside_dokku() {
        return None;
    }
    let counted = here.others().into_iter().map(|world| (world.apps().map_or(0, |apps| apps.len()), world));
    let with_apps = counted.filter(|(count, _)| *count > 0);
    let all: Vec<String> = with_apps
        .map(|(count, world)| {
            let apps = if count == 1 { "app" } else { "apps" };
            format!("{} ({count} {apps})", world.name())
        })
        .collect();
    (!all.is_empty())
        .then(|| format!("not shown are the worlds {}: --all-worlds, or --world NAME", all.join(", ")))
}

/// The command that runs this program with the same arguments in another world.
fn again(world: &World) -> Command {
    let mut words = exit::arguments().into_iter();
    let mut command = Command::new(OWN_PROGRAM);
    command.arg0(words.next().unwrap_or_default()).args(words);
    command.env("DOKKU_ROOT", world.root()).env("DOKKU_LIB_ROOT", world.lib());
    command
}

fn parts(worlds: &[World]) -> Result<Outcome> {
    let mut highest = 0;
    for world in worlds {
        writeln!(io::stdout().lock(), "=====> World {}", world.name())?;
        let status = again(world).env(ONE_OF_ALL, "1").status().context("run this program")?;
        highest = highest.max(number(status));
    }
    Ok(Outcome::Status(highest))
}

fn lines(worlds: &[World], shape: Shape) -> Result<Outcome> {
    let (mut children, mut outputs) = (Vec::new(), Vec::new());
    for world in worlds {
        let mut command = again(world);
        command.env(ONE_OF_ALL, "1").stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().context("run this program")?;
        outputs.extend(child.stdout.take().map(|out| (BufReader::new(out), world.name())));
        children.push(child);
    }
    exit::end_with_reader();
    let (children, has_heading) = (Mutex::new(children), Mutex::new(false));
    let pass_on = |(out, name): (_, String)| {
        let passed = pass_on(out, &name, shape, &has_heading);
        if passed.is_err() {
            // The reader has closed the pipe, so the other worlds' programs are ended too.
            locked(&children).iter_mut().for_each(|child| drop(child.kill()));
        }
        passed
    };
    let passed: Vec<io::Result<()>> = thread::scope(|scope| {
        let pass_on = &pass_on;
        let threads: Vec<_> =
            outputs.into_iter().map(|output| scope.spawn(move || pass_on(output))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(Ok(()))).collect()
    });
    let mut highest = 0;
    for child in locked(&children).iter_mut() {
        highest = highest.max(number(child.wait()?));
    }
    passed.into_iter().collect::<io::Result<()>>()?;
    Ok(Outcome::Status(highest))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Prints the output of a world's program, line by line, until it ends or nobody reads any more.
fn pass_on(mut lines: impl BufRead, name: &str, shape: Shape, has_heading: &Mutex<bool>) -> io::Result<()> {
    let (mut line, mut is_first) = (Vec::new(), true);
    while lines.read_until(b'\n', &mut line)? > 0 {
        let mut out = io::stdout().lock();
        match shape {
            Shape::Csv if std::mem::take(&mut is_first) => {
                if !std::mem::replace(&mut *locked(has_heading), true) {
                    out.write_all(b"world,")?;
                    out.write_all(&line)?;
                }
            }
            _ => write_line(&mut out, name, shape, &line)?,
        }
        out.flush()?;
        line.clear();
    }
    Ok(())
}

fn write_line(out: &mut impl Write, name: &str, shape: Shape, line: &[u8]) -> io::Result<()> {
    match (shape, line.strip_prefix(b"{")) {
        (Shape::Json, Some(rest)) => {
            let comma = if rest.starts_with(b"}") { "" } else { "," };
            write!(out, "{{\"world\":{}{comma}", serde_json::Value::from(name))?;
            out.write_all(rest)
        }
        (Shape::Csv, _) if name.contains([',', '"', '\n']) => {
            write!(out, "\"{}\",", name.replace('"', "\"\""))?;
            out.write_all(line)
        }
        (Shape::Csv, _) => {
            write!(out, "{name},")?;
            out.write_all(line)
        }
        (Shape::Json | Shape::Lines | Shape::Parts, _) => {
            write!(out, "{name}: ")?;
            out.write_all(line)
        }
    }
}

fn number(status: ExitStatus) -> u8 {
    let of_signal = || status.signal().map(|signal| 128 + signal);
    status.code().or_else(of_signal).and_then(|status| u8::try_from(status).ok()).unwrap_or(FAILED)
}
