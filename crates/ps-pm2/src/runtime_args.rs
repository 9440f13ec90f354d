//! The command lines of `pm2-runtime` and `pm2-dev`: their own options, and beside them those of `start`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::args::Args;
use crate::say::Usage;

const RUNTIME_HELP: &str = "\
Usage: pm2-runtime [start] FILE|JSON|YAML|ecosystem.config.js [OPTIONS] [-- ARGUMENT...]

Starts apps and stays in the foreground, as the command of a container: what the apps write goes to stdout and stderr, SIGTERM and
SIGINT end the apps, SIGUSR1 and SIGUSR2 are passed on to them. It ends with status 2 when no app runs any more.

Options, beside those of ps-pm2 start:
      --no-auto-exit    stay when no app runs any more
      --raw             lines as the apps write them (default)
      --formatted       the app and the time before each line
      --json            each line as JSON
      --delay SECONDS   wait before the start

The file is run by node if it is an ecosystem.config.js.";
const DEV_HELP: &str = "\
Usage: pm2-dev [start] FILE|JSON|YAML|ecosystem.config.js [OPTIONS] [-- ARGUMENT...]

Starts apps, restarts them when a file changes, and shows what they write until it is interrupted. Its apps are in ~/.pm2-dev.

Options, beside those of ps-pm2 start:
      --ignore FILES    no restart for these, with commas between them (node_modules always)
      --auto-exit       end when no app runs any more
      --raw             lines as the apps write them";

/// The name by which the program was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Runtime,
    Dev,
}

/// How the lines of apps are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Raw,
    Formatted,
    Json,
}

/// The options that `start` has not.
#[derive(Debug)]
pub(crate) struct Own {
    name: Name,
    pub(crate) asks_for_help: bool,
    /// Whether it ends when no app runs any more.
    pub(crate) ends_with_apps: bool,
    pub(crate) delay: Duration,
    form: Form,
    ignored: Vec<String>,
}

impl Name {
    /// The name in the path of a program.
    pub(crate) fn of(program: &Path) -> Option<Self> {
        match program.file_name()?.to_str()? {
            "pm2-runtime" => Some(Self::Runtime),
            "pm2-dev" => Some(Self::Dev),
            _ => None,
        }
    }

    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::Runtime => RUNTIME_HELP,
            Self::Dev => DEV_HELP,
        }
    }

    /// Where its apps are, if that is not where those of pm2 are: what a developer tries stands beside nothing else.
    pub(crate) fn home(self) -> Option<PathBuf> {
        let home = || ps_apps::variable("HOME").map(|home| PathBuf::from(home).join(".pm2-dev"));
        if self == Self::Runtime || ps_apps::variable("PM2_HOME").is_some() { None } else { home() }
    }
}

impl Own {
    /// Takes the own options out of the words, the rest of which are those of `start`.
    ///
    /// # Errors
    /// The value of an option is missing, or is no number.
    pub(crate) fn read(name: Name, words: &[OsString]) -> Result<(Self, Vec<OsString>)> {
        let is_runtime = name == Name::Runtime;
        let form = if is_runtime { Form::Raw } else { Form::Formatted };
        let mut own = Self {
            name,
            asks_for_help: words.len() < 2,
            ends_with_apps: is_runtime,
            delay: Duration::ZERO,
            form,
            ignored: Vec::new(),
        };
        let mut rest = vec![OsString::from("ps-pm2"), "start".into()];
        let mut words = words.iter().skip(1).peekable();
        words.next_if(|word| *word == "start");
        while let Some(word) = words.next() {
            let text = word.to_str().unwrap_or_default();
            let (option, value) =
                text.split_once('=').map_or((text, None), |(option, value)| (option, Some(value)));
            let mut value = || value.or_else(|| words.next().and_then(|word| word.to_str()));
            match option {
                "--" => {
                    rest.push(word.clone());
                    rest.extend(words.by_ref().cloned());
                }
                "-h" | "--help" => own.asks_for_help = true,
                "--auto-exit" => own.ends_with_apps = true,
                "--no-auto-exit" => own.ends_with_apps = false,
                "--raw" => own.form = Form::Raw,
                "--formatted" | "--timestamp" => own.form = Form::Formatted,
                "--json" => own.form = Form::Json,
                "--delay" => own.delay = delay(value())?,
                "--ignore" => {
                    let files = value().ok_or_else(|| missing("--ignore [files]"))?;
                    own.ignored.extend(files.split(',').map(str::to_owned));
                }
                _ => rest.push(word.clone()),
            }
        }
        Ok((own, rest))
    }

    /// Whether apps may write to our own streams, with nobody between.
    pub(crate) fn writes_directly(&self) -> bool {
        self.form == Form::Raw
    }

    /// What these names mean for the options of `start`.
    pub(crate) fn complete(self: &Own, args: &mut Args) {
        args.silent = true;
        // Whoever starts a container or a session of development by this file has it run.
        args.allow_js = true;
        args.raw = self.form == Form::Raw;
        args.json = self.form == Form::Json;
        args.streams_are_of_apps = true;
        if self.name == Name::Dev {
            let ignored: Vec<&str> =
                self.ignored.iter().map(String::as_str).chain(["node_modules"]).collect();
            args.usual.extend([("watch", true.into()), ("ignore_watch", ignored.into())]);
        }
    }
}

fn delay(value: Option<&str>) -> Result<Duration> {
    let value = value.ok_or_else(|| missing("--delay <seconds>"))?;
    let seconds = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.with_context(|| format!("--delay: a number of seconds is wanted, not {value}"))
}

fn missing(option: &str) -> anyhow::Error {
    Usage(format!("option `{option}' argument missing")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_options_are_taken_and_those_of_start_and_of_the_app_are_left() {
        let words = [
            "/usr/bin/pm2-runtime",
            "start",
            "app.js",
            "--no-auto-exit",
            "-i",
            "2",
            "--delay=1",
            "--",
            "--raw",
        ];
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let name = Name::of(Path::new(&words[0])).expect("a name");
        let (own, rest) = Own::read(name, &words).expect("they are right");
        assert_eq!(rest, ["ps-pm2", "start", "app.js", "-i", "2", "--", "--raw"]);
        assert!(!own.ends_with_apps && own.delay == Duration::from_secs(1) && own.writes_directly());
        assert_eq!(Name::of(Path::new("ps-pm2")), None);
        let wrong: Vec<OsString> =
            ["pm2-runtime", "a.js", "--delay", "soon"].iter().map(OsString::from).collect();
        assert!(Own::read(name, &wrong).is_err());
    }
}
