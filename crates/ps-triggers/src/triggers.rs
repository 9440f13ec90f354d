//! Calls a trigger, either for the answer that its hooks print on stdout, or with hooks that write to our own stdout
//! and stderr.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ps_apps::World;

use crate::child::{self, Order, Stdios};
use crate::echo::Echo;
use crate::error::{self, Error};
use crate::hooks::{self, Hook};

/// How long to wait for the last bytes of an answer after a hook's deadline.
const LAST_PIECES: Duration = Duration::from_millis(100);

/// Calls triggers. Hooks inherit our environment and working directory. Outside Dokku they also get `DOKKU_ROOT`,
/// `DOKKU_LIB_ROOT` and `PLUGIN_PATH`.
#[derive(Clone, Debug)]
pub struct Triggers {
    plugins: PathBuf,
    plugn: Option<PathBuf>,
    environment: Vec<(OsString, OsString)>,
    limit: Option<Duration>,
    stderr: StderrTo,
}

/// Where hooks write their stderr.
#[derive(Clone, Copy, Debug)]
enum StderrTo {
    Ours,
    Capture,
    Echo,
}

/// What was kept of the stderr of hooks, for each variant of [`StderrTo`].
enum Said {
    Nothing,
    Captured(mpsc::Receiver<Vec<u8>>),
    Shown(Echo),
}

/// What the hooks of a trigger wrote to stdout, one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// The bytes as written.
    pub stdout: Vec<u8>,
}

impl Output {
    /// The answer as text, without white space at its ends. Bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }
}

/// The stdin, stdout and stderr of all hooks of one call. Each hook gets copies of them, because the hooks that plugn
/// runs share plugn's own.
struct Ends {
    stdin: Option<PipeReader>,
    stdout: Option<PipeWriter>,
    stderr: Option<PipeWriter>,
}

impl Triggers {
    /// Calls triggers of the plugins of this `World`: by plugn if we are inside Dokku and it is on `PATH`, or else
    /// by running the hooks here.
    pub fn new(world: &World) -> Self {
        let plugn = world.inside_dokku().then(|| on_path("plugn")).flatten();
        let told =
            [("DOKKU_ROOT", world.root()), ("DOKKU_LIB_ROOT", world.lib()), ("PLUGIN_PATH", world.plugins())];
        let environment = told.map(|(name, path)| (OsString::from(name), path.as_os_str().to_owned()));
        Self {
            plugins: world.plugins().to_owned(),
            plugn,
            environment: environment.into(),
            limit: None,
            stderr: StderrTo::Ours,
        }
    }

    /// Adds a variable to the environment of hooks, for example `AppLock::token`.
    #[must_use]
    pub fn with_env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Sets a time limit for each call. A hook that has not ended by then gets SIGTERM and later SIGKILL, together
    /// with its process group. Such hooks run in a process group of their own, so they cannot read from a terminal.
    #[must_use]
    pub fn with_deadline(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Captures what hooks write to stderr, for [`Error::Failed`]. Without this it goes to our own stderr.
    #[must_use]
    pub fn with_captured_stderr(mut self) -> Self {
        self.stderr = StderrTo::Capture;
        self
    }

    /// Shows what hooks write to stderr as it comes, and keeps the end of it for [`Error::words`].
    #[must_use]
    pub fn with_kept_stderr(mut self) -> Self {
        self.stderr = StderrTo::Echo;
        self
    }

    /// The error of a call as one line, without what hooks wrote: the trigger, how it failed, and the plugin whose
    /// hook failed. plugn does not say which hook failed, so if several plugins have one, all of them are named.
    pub fn told(&self, error: &Error) -> String {
        let Error::Failed { trigger, hook, status, .. } = error else { return error.to_string() };
        let plugin = || Some(hook.parent()?.file_name()?.to_string_lossy().into_owned());
        let plugins = match &self.plugn {
            Some(_) => self.plugins_of(trigger).unwrap_or_default(),
            None => plugin().into_iter().collect(),
        };
        error::told(trigger, *status, &plugins)
    }

    /// Runs every hook of a trigger with an empty stdin, and returns what they write to stdout; if there are no
    /// hooks, an empty answer. The first hook that fails ends the call.
    pub fn call<A: AsRef<OsStr>>(&self, trigger: &str, arguments: &[A]) -> Result<Output, Error> {
        self.call_with_stdin(trigger, arguments, b"")
    }

    /// Like [`Triggers::call`], with these bytes on stdin. All hooks share the pipe, so the first one that reads it
    /// gets everything.
    pub fn call_with_stdin<A: AsRef<OsStr>>(
        &self,
        trigger: &str,
        arguments: &[A],
        stdin: &[u8],
    ) -> Result<Output, Error> {
        let fail = |reason| Error::Io { action: "run", path: PathBuf::from(trigger), reason };
        let (answer, writer) = io::pipe().map_err(fail)?;
        let stdin = feed(stdin).map_err(fail)?;
        let stdout = collect(answer);
        let ran = self.run(trigger, arguments, Ends { stdin, stdout: Some(writer), stderr: None });
        ran.map(|deadline| Output { stdout: receive(&stdout, deadline) })
    }

    /// Runs every hook of a trigger with our own stdin, stdout and stderr. The first one that fails ends the call.
    pub fn stream<A: AsRef<OsStr>>(&self, trigger: &str, arguments: &[A]) -> Result<(), Error> {
        self.run(trigger, arguments, Ends { stdin: None, stdout: None, stderr: None }).map(|_| ())
    }

    /// Whether an enabled plugin has a hook for this trigger. Dokku's event logger does not count.
    pub fn is_implemented(&self, trigger: &str) -> Result<bool, Error> {
        Ok(!self.plugins_of(trigger)?.is_empty())
    }

    /// The plugins that have a hook for this trigger, in the order in which they run. Dokku's event logger does not
    /// count.
    pub fn plugins_of(&self, trigger: &str) -> Result<Vec<String>, Error> {
        checked(trigger)?;
        hooks::plugins_of(&self.plugins, trigger)
    }

    fn run<A: AsRef<OsStr>>(
        &self,
        trigger: &str,
        arguments: &[A],
        mut ends: Ends,
    ) -> Result<Option<Instant>, Error> {
        checked(trigger)?;
        let arguments: Vec<OsString> = arguments.iter().map(|word| word.as_ref().to_owned()).collect();
        let deadline = self.limit.map(|limit| Instant::now() + limit);
        let said = self.direct_stderr(&mut ends, trigger)?;
        let run = |program: &Path, arguments: Vec<OsString>| {
            let order = Order { program, arguments, environment: &self.environment, deadline };
            self.run_one(trigger, &order, &ends)
        };
        let ran = match &self.plugn {
            Some(plugn) => {
                let words = ["trigger", trigger].map(OsString::from);
                run(plugn, words.into_iter().chain(arguments).collect())
            }
            None => {
                runnable(&self.plugins, trigger)?.iter().try_for_each(|hook| run(hook, arguments.clone()))
            }
        };
        drop(ends);
        let words = said.words(deadline);
        ran.map(|()| deadline).map_err(|error| quoting(error, words))
    }

    fn direct_stderr(&self, ends: &mut Ends, trigger: &str) -> Result<Said, Error> {
        let fail = |reason| Error::Io { action: "run", path: PathBuf::from(trigger), reason };
        let (said, writer) = match self.stderr {
            StderrTo::Ours => return Ok(Said::Nothing),
            StderrTo::Capture => {
                let (said, writer) = io::pipe().map_err(fail)?;
                (Said::Captured(collect(said)), writer)
            }
            StderrTo::Echo => match Echo::start() {
                Some((echo, writer)) => (Said::Shown(echo), writer),
                None => return Ok(Said::Nothing),
            },
        };
        ends.stderr = Some(writer);
        Ok(said)
    }

    fn run_one(&self, trigger: &str, order: &Order<'_>, ends: &Ends) -> Result<(), Error> {
        let hook = order.program.to_owned();
        match child::run(order, &|| ends.stdios()) {
            Ok(Some(status)) if status.success() => Ok(()),
            Ok(Some(status)) => Err(Error::Failed {
                trigger: trigger.to_owned(),
                hook,
                status: child::shell_status(status),
                stderr: String::new(),
            }),
            Ok(None) => Err(Error::TimedOut {
                trigger: trigger.to_owned(),
                hook,
                limit: self.limit.unwrap_or_default(),
            }),
            Err(reason) => Err(Error::Io { action: "run", path: hook, reason }),
        }
    }
}

impl Said {
    /// Everything that was kept, after the hooks have ended.
    fn words(self, deadline: Option<Instant>) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::Captured(said) => String::from_utf8_lossy(&receive(&said, deadline)).trim().to_owned(),
            Self::Shown(echo) => echo.words(),
        }
    }
}

impl Ends {
    fn stdios(&self) -> io::Result<Stdios> {
        let writer = |end: &Option<PipeWriter>| match end {
            Some(end) => end.try_clone().map(Stdio::from),
            None => Ok(Stdio::inherit()),
        };
        let stdin = match &self.stdin {
            Some(end) => Stdio::from(end.try_clone()?),
            None => Stdio::inherit(),
        };
        Ok([stdin, writer(&self.stdout)?, writer(&self.stderr)?])
    }
}

fn checked(trigger: &str) -> Result<(), Error> {
    if trigger.is_empty() || trigger.starts_with('.') || trigger.contains(['/', '\0']) {
        return Err(Error::NotATrigger(trigger.to_owned()));
    }
    Ok(())
}

fn runnable(plugins: &Path, trigger: &str) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for hook in hooks::of(plugins, trigger)? {
        match hook {
            Hook::Runnable(path) => paths.push(path),
            Hook::Inert(path) => {
                // If stderr is closed, the message is lost.
                let _ = writeln!(io::stderr().lock(), "{} is not executable: skipped", path.display());
            }
        }
    }
    Ok(paths)
}

/// A pipe with these bytes in it. A thread writes them, because a pipe holds only a limited number of bytes.
fn feed(bytes: &[u8]) -> io::Result<Option<PipeReader>> {
    let (reader, mut writer) = io::pipe()?;
    if !bytes.is_empty() {
        let bytes = bytes.to_owned();
        // Hooks need not read their stdin. In that case the write fails when they have ended, which is no error.
        thread::spawn(move || writer.write_all(&bytes));
    }
    Ok(Some(reader))
}

/// Reads a pipe to its end in a thread, which sends each piece as it is read.
fn collect(mut reader: PipeReader) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        // After a failed read, what was read before it is the answer.
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            if sender.send(buffer[..length].to_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// Everything that was collected. With a deadline it waits no longer than that, because a process that a hook left
/// behind may keep the pipe open.
fn receive(collected: &mpsc::Receiver<Vec<u8>>, deadline: Option<Instant>) -> Vec<u8> {
    let next = || match deadline {
        None => collected.recv().ok(),
        Some(deadline) => {
            let left = deadline.saturating_duration_since(Instant::now()).max(LAST_PIECES);
            collected.recv_timeout(left).ok()
        }
    };
    std::iter::from_fn(next).flatten().collect()
}

fn quoting(mut error: Error, words: String) -> Error {
    if let Error::Failed { stderr, .. } = &mut error {
        *stderr = words;
    }
    error
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|directory| directory.join(program)).find(|path| hooks::is_executable(path))
}
