//! The command line and the meaning of its arguments. No file is read here.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueHint};
use formation::{Quantity, RestartPolicy};
use ps_cli::exit::Refusal;
use ps_supervisor::Begin;
use type_settings::{Paths, Patterns};

/// Keeps the processes of one app alive
///
/// A DIRECTORY with a Procfile runs in the foreground: one instance of each type but `release`,
/// or of the TYPEs that are named. stdout has what they write, stderr says what happens to them:
/// started, ended, started again. Ctrl-C stops all of them; a second Ctrl-C kills them.
///
/// A DIRECTORY with a spec2.json is the service directory of an app that ps-lifecycle deployed: its
/// processes are kept running until SIGTERM.
///
/// With --root and the DOKKU_LIB_ROOT of a world it is the root, which keeps the supervisors of all
/// apps alive. ps-lifecycle starts a root if there is none, and a boot unit (ps-lifecycle boot) one
/// that stays.
///
/// A word with a slash in it is a DIRECTORY (by default the current one), any other word a TYPE.
/// `ps-supervise start` is the same as ps-supervise, for those who are used to `foreman start`.
///
/// Examples:
///   ps-supervise                              run the Procfile of this directory
///   ps-supervise web worker                   only these types
///   ps-supervise -m web=2,worker=1            how many of each; all=1,web=2: one of every other type
///   ps-supervise -f Procfile.dev -p 3000      another Procfile; web.1 gets PORT 3000
///   ps-supervise --watch                      restart the processes when a file changes
///   ps-supervise --any-exit                   the first process that ends stops all, with its status
///   ps-supervise --stdin web                  what you type goes to web.1
///   ps-supervise run web --help               the command of web with one more argument
///   ps-supervise run bin/rails console        any command, in the app's environment
///   ps-supervise ~/src/shop                   the Procfile of another directory
///   ps-supervise /var/lib/formation/lib/data/scheduler-native/shop
///   ps-supervise --root /var/lib/formation/lib
#[derive(Debug, Parser)]
#[command(name = "ps-supervise", version = ps_cli::VERSION, verbatim_doc_comment)]
#[command(subcommand_precedence_over_arg = true, disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,

    /// A directory (a word with a slash), and process types
    #[arg(value_name = "DIRECTORY|TYPE", value_hint = ValueHint::AnyPath)]
    words: Vec<OsString>,

    #[command(flatten)]
    pub(crate) app: AppArgs,

    #[command(flatten)]
    pub(crate) run: RunArgs,

    #[command(flatten)]
    pub(crate) watch: WatchArgs,

    #[command(flatten)]
    pub(crate) show: ShowArgs,

    /// With a service directory: the soft limit of open files for its processes
    #[arg(long, hide = true, value_name = "N")]
    pub(crate) open_files: Option<u64>,

    /// With --root: end when no app needs the root any more
    #[arg(long, hide = true)]
    pub(crate) while_needed: bool,

    /// Wait until stdin is closed, then end the processes left of the foreground whose state is in this directory
    #[arg(long, hide = true, value_name = "STATE")]
    pub(crate) guard: Option<PathBuf>,

    /// Take over from the supervisor that has replaced itself by this program
    #[arg(long, hide = true)]
    pub(crate) goes_on: bool,

    /// No earlier supervisor has left a process
    #[arg(long, hide = true)]
    pub(crate) nothing_lives: bool,
}

/// The one subcommand; without it everything runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Run a type's command, or any other command, in the environment of the app
    ///
    /// The command takes the place of ps-supervise: it has the terminal, gets signals, and gives the exit status. A TYPE of
    /// the Procfile stands for its command, to which further arguments are added; PORT is that of the type's first instance.
    /// Anything else is a COMMAND.
    Run {
        /// A type of the Procfile, or a command
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        #[arg(value_name = "TYPE|COMMAND", value_hint = ValueHint::CommandWithArguments)]
        command: Vec<OsString>,
    },
}

// The app's files and its environment.
#[derive(Debug, clap::Args)]
pub(crate) struct AppArgs {
    /// The Procfile; commands run in its directory
    #[arg(short = 'f', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) procfile: Option<PathBuf>,

    /// The directory in which commands run, and in which Procfile and .env are
    #[arg(short = 'd', long = "root", value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    pub(crate) root: Option<PathBuf>,

    /// Files with variables, in place of .env; a later file wins
    #[arg(short = 'e', long, value_name = "FILE,…", value_delimiter = ',', value_hint = ValueHint::FilePath)]
    pub(crate) env: Vec<PathBuf>,

    /// PORT of the first instance of the first type [default: PORT of .env or of the environment, else 5000]
    #[arg(short = 'p', long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: Option<u16>,
}

// Which processes run, and what happens when one ends.
#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// How many of each type; a type that is not named does not run; all=N stands for every other type
    #[arg(short = 'm', long, value_name = "TYPE=N,…", value_delimiter = ',', value_parser = wanted)]
    pub(crate) formation: Vec<(String, Quantity)>,

    /// Seconds between SIGTERM and SIGKILL
    #[arg(short = 't', long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) timeout: u32,

    /// What happens to a process that ends: no, always, on-failure, on-failure:N
    #[arg(long, value_name = "POLICY", default_value = "on-failure:10", conflicts_with = "any_exit")]
    pub(crate) restart: RestartPolicy,

    /// Stop all processes when the first one ends, and exit with its status
    #[arg(long)]
    pub(crate) any_exit: bool,

    /// Stop everything when the process that started ps-supervise ends
    #[arg(long)]
    pub(crate) exit_with_parent: bool,

    /// Give each process a terminal of its own to write to, as large as this one, so that it keeps its colours
    #[arg(long)]
    pub(crate) pty: bool,

    /// Give stdin to the first instance of this type; the stdin of all others is empty
    #[arg(long, value_name = "TYPE")]
    pub(crate) stdin: Option<String>,
}

// Which processes are restarted when files change.
#[derive(Debug, clap::Args)]
pub(crate) struct WatchArgs {
    /// Restart every process when a file changes below the directory, or below one of these PATHS
    #[arg(long, value_name = "PATH,…", num_args = 0..=1, require_equals = true, default_missing_value = ".")]
    #[arg(value_parser = paths, value_hint = ValueHint::AnyPath)]
    pub(crate) watch: Option<Paths>,

    /// Ignore changes of these names, or paths if they contain a /; log files and version control are always ignored
    #[arg(long, value_name = "PATTERN,…", requires = "watch", value_parser = patterns)]
    pub(crate) watch_ignore: Option<Patterns>,
}

// The appearance of the output.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own, and the last of a pair wins")]
pub(crate) struct ShowArgs {
    /// Colour the names even if the output is not a terminal
    #[arg(short = 'c', long, visible_alias = "colour", overrides_with = "no_color")]
    color: bool,

    /// Use no colours (the same as NO_COLOR in the environment)
    #[arg(long, visible_alias = "no-colour")]
    no_color: bool,

    /// Print the time before each line even if the output is not a terminal
    #[arg(long, overrides_with = "no_timestamp")]
    timestamp: bool,

    /// Print no time before lines
    #[arg(long, action = ArgAction::SetTrue)]
    no_timestamp: bool,
}

/// The positional arguments, sorted into a directory and types.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Words {
    /// The directory, if one was named.
    pub(crate) directory: Option<PathBuf>,
    /// The types.
    pub(crate) types: Vec<String>,
}

impl Args {
    /// Sorts the positional arguments into the directory and the types.
    pub(crate) fn words(&self) -> anyhow::Result<Words> {
        let mut words = Words { directory: self.app.root.clone(), types: Vec::new() };
        for word in &self.words {
            if !is_directory(word) {
                words.types.push(word.to_string_lossy().into_owned());
            } else if let Some(first) = words.directory.replace(PathBuf::from(word)) {
                let (first, second) = (first.display(), word.to_string_lossy());
                return Err(Refusal::usage(format!("{first} and {second}: one directory at a time")));
            }
        }
        Ok(words)
    }

    /// How the supervisor of a service directory begins.
    pub(crate) fn begin(&self) -> Begin {
        match (self.goes_on, self.nothing_lives) {
            (true, _) => Begin::GoesOn,
            (false, true) => Begin::Clear,
            (false, false) => Begin::Usual,
        }
    }

    /// Whether an option was given that only the foreground has.
    pub(crate) fn is_for_foreground(&self) -> bool {
        let app = &self.app;
        let is_of_app = app.procfile.is_some() || !app.env.is_empty() || app.port.is_some();
        let run = &self.run;
        let is_of_run = !run.formation.is_empty()
            || run.any_exit
            || run.exit_with_parent
            || run.stdin.is_some()
            || run.pty
            || self.watch.watch.is_some();
        is_of_app || is_of_run || self.verb.is_some() || self.words.iter().any(|word| !is_directory(word))
    }
}

impl ShowArgs {
    /// Whether names are coloured on a stream.
    pub(crate) fn is_colored(&self, is_terminal: bool) -> bool {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        self.color || (is_terminal && !self.no_color && ps_apps::variable("NO_COLOR").is_none() && !is_dumb)
    }

    /// Whether lines on a stream begin with the time.
    pub(crate) fn is_timed(&self, is_terminal: bool) -> bool {
        self.timestamp || (is_terminal && !self.no_timestamp)
    }
}

fn is_directory(word: &OsStr) -> bool {
    word == "." || word == ".." || word.as_encoded_bytes().contains(&b'/')
}

fn wanted(word: &str) -> Result<(String, Quantity), String> {
    let pair = word.trim().split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, count) = pair.ok_or("write TYPE=N, for example web=2")?;
    let count = count.parse().map_err(|error| format!("{error}"))?;
    Ok((name.to_owned(), count))
}

fn paths(text: &str) -> Result<Paths, &'static str> {
    text.parse().map_err(|()| "write paths below the directory, with commas between them")
}

fn patterns(text: &str) -> Result<Patterns, &'static str> {
    text.parse().map_err(|()| "write patterns such as *.tmp or build/, with commas between them")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Words {
        let line = format!("ps-supervise {line}");
        Args::try_parse_from(line.split_whitespace()).expect("good usage").words().expect("one directory")
    }

    #[test]
    fn a_slash_makes_a_directory_and_any_other_word_is_a_type() {
        let all = |directory: &str, types: &[&str]| Words {
            directory: (!directory.is_empty()).then(|| directory.into()),
            types: types.iter().map(|&name| name.to_owned()).collect(),
        };
        assert_eq!(words(""), all("", &[]));
        assert_eq!(words("."), all(".", &[]));
        assert_eq!(words("./shop web worker"), all("./shop", &["web", "worker"]));
        assert_eq!(words("web -p 3000 worker"), all("", &["web", "worker"]));
        assert_eq!(words("-d shop web"), all("shop", &["web"]));
    }

    #[test]
    fn what_follows_run_is_the_commands_own() {
        let of = |line: &str| {
            let args = Args::try_parse_from(line.split_whitespace()).expect("good usage");
            let Some(Verb::Run { command }) = args.verb else { panic!("no run: {line}") };
            (command.join(OsStr::new(" ")).into_string().expect("text"), args.app.env)
        };
        assert_eq!(
            of("ps-supervise -e a,b run ls -l -e c"),
            ("ls -l -e c".to_owned(), vec!["a".into(), "b".into()])
        );
        assert_eq!(of("ps-supervise ./shop run web --help").0, "web --help");
        assert_eq!(of("ps-supervise run -- -x").0, "-x");
    }

    #[test]
    fn what_makes_no_sense_is_wrong_usage() {
        for line in [
            "-p 0",
            "-p 70000",
            "-p abc",
            "-m web",
            "-m web=x",
            "-m web=-1",
            "-m =1",
            "--any-exit --restart no",
            "run",
        ] {
            let line = format!("ps-supervise {line}");
            assert!(Args::try_parse_from(line.split_whitespace()).is_err(), "{line}");
        }
        let two = Args::try_parse_from(["ps-supervise", "./a", "./b"]).expect("words");
        assert!(two.words().is_err());
    }
}
