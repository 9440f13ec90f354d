//! The command line. As in pm2, options may come in any place, and all arguments after `--` are passed to the app.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, CommandFactory, Parser};
use ps_cli::exit::Outcome;

use crate::count;
use crate::say::{self, Usage};

/// The version of pm2 whose words these are.
pub(crate) const VERSION: &str = "0.7.2";

/// The options that belong to `logs` alone.
const OF_LOGS: [&str; 6] = ["--lines", "--nostream", "--raw", "--json", "--err", "--out"];

/// What pm2 calls the values of options, where that is not the name of the option.
const VALUES: [(&str, &str); 5] = [
    ("instances", "number"),
    ("output", "path"),
    ("error", "path"),
    ("cron", "cron_pattern"),
    ("user", "username"),
];

/// Flags of today's pm2 that are about its own modules, traces or looks.
const WITHOUT_EFFECT: [&str; 12] = [
    "no-vizion",
    "no-pmx",
    "no-automation",
    "source-map-support",
    "disable-source-map-support",
    "trace",
    "disable-trace",
    "deep-monitoring",
    "event-loop-inspector",
    "v1",
    "discrete",
    "wait-ip",
];

/// The same with a value: what is marked in logs, and the order of the list.
const WITH_VALUE_WITHOUT_EFFECT: [&str; 2] = ["highlight", "sort"];

const COMMANDS: &str = "\
Commands:
  start FILE|JSON|YAML|-         start a script, a program, or what a file (- is stdin) declares
  startOrRestart|startOrReload FILE
  stop|restart|delete WHICH      an id, a name, a script, a file that declares it, -, or all
  reload|gracefulReload WHICH    replace instances one by one, without losing connections
  list, ls, status               the apps and their state, as a table (-m: as blocks)
  jlist, prettylist              the same for scripts
  describe WHICH, id NAME, pid [NAME], env ID
  scale NAME N|+N|-N             change how many instances an app has
  reset WHICH                    count restarts from 0 again
  logs [WHICH], flush [WHICH]    follow the logs, or empty them
  sendSignal SIGNAL WHICH        send a signal
  dump (save), resurrect         record which apps there are; start the recorded apps
  import [HOME] [-]              take over a running pm2's apps one by one (-: of a list on stdin)
  update                         replace running supervisors by the installed program
  startup, unstartup             start the recorded apps when the machine boots, or no longer
  monit, web, generate NAME, ping, kill (exit)

Examples:
  ps-pm2 start app.js -i max --name api
  ps-pm2 start worker.py -- --queue mail
  ps-pm2 restart api
  ps-pm2 list

Called pm2-runtime, it is the command of a container: it stays in the foreground and ends with
its apps; called pm2-dev, it restarts what changes. scripts/install --as-pm2 installs both names;
pm2-runtime --help and pm2-dev --help say more.

Exit status: 0 done, 1 refused or failed; 2 of pm2-runtime when no app runs any more.";

/// Accepts the commands of pm2: keeps apps in any language alive, and knows them by name and id.
#[derive(Debug, Default, Parser)]
#[command(
    name = "ps-pm2",
    disable_version_flag = true,
    disable_help_subcommand = true,
    args_override_self = true
)]
#[command(override_usage = "ps-pm2 [OPTIONS] COMMAND [WHAT]... [-- ARGUMENT...]", after_help = COMMANDS)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
#[expect(clippy::struct_field_names, reason = "node_args is pm2's word")]
pub(crate) struct Args {
    /// A command and what it is about
    #[arg(value_name = "WORD", allow_negative_numbers = true)]
    pub(crate) words: Vec<String>,

    /// Arguments of the app
    #[arg(last = true, value_name = "ARGUMENT")]
    pub(crate) of_app: Vec<String>,

    /// Print the version of pm2 that ps-pm2 behaves like
    #[arg(short = 'V', long, short_alias = 'v', action = ArgAction::SetTrue)]
    pub(crate) version: bool,

    /// The name of the app
    #[arg(short, long)]
    pub(crate) name: Option<String>,

    /// How many instances: a number, max (one per CPU), -1 (one fewer) or 50%
    #[arg(short, long, value_name = "N", allow_hyphen_values = true)]
    pub(crate) instances: Option<String>,

    /// Run the program as it is, in pm2's fork mode
    #[arg(short = 'x', long)]
    pub(crate) execute_command: bool,

    /// The program that runs the script; none: the script itself
    #[arg(long, value_name = "PROGRAM", alias = "exec-interpreter")]
    pub(crate) interpreter: Option<String>,

    /// Arguments of that program
    #[arg(long, value_name = "ARGUMENTS", alias = "interpreter-args", allow_hyphen_values = true)]
    pub(crate) node_args: Option<String>,

    /// Where stdout is written
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Where stderr is written
    #[arg(short, long, value_name = "FILE")]
    pub(crate) error: Option<PathBuf>,

    /// Where pids are written
    #[arg(short, long, value_name = "FILE")]
    pub(crate) pid: Option<PathBuf>,

    /// Start the script although it already runs
    #[arg(short, long)]
    pub(crate) force: bool,

    /// Restart the app by this schedule
    #[arg(short, long, value_name = "PATTERN", alias = "cron-restart")]
    pub(crate) cron: Option<String>,

    /// Write the options into SCRIPT-pm2.json
    #[arg(short, long)]
    pub(crate) write: bool,

    /// List in blocks
    #[arg(short = 'm', long)]
    pub(crate) mini_list: bool,

    /// Print no table
    #[arg(short, long)]
    pub(crate) silent: bool,

    /// The user for startup
    #[arg(short, long)]
    pub(crate) user: Option<String>,

    /// The home directory of that user
    #[arg(long, value_name = "DIR")]
    pub(crate) hp: Option<PathBuf>,

    /// Stay in the foreground
    #[arg(long)]
    pub(crate) no_daemon: bool,

    /// Take the variables of env_NAME of a declaration as well
    #[arg(long, value_name = "NAME")]
    pub(crate) env: Option<String>,

    /// Only these apps of a declaration, with commas between them
    #[arg(long, value_name = "NAMES")]
    pub(crate) only: Option<String>,

    /// Take the variables of this shell at a restart
    #[arg(long)]
    pub(crate) update_env: bool,

    /// Allow that node runs an ecosystem.config.js, which is a program
    #[arg(long)]
    pub(crate) allow_js: bool,

    /// The directory that the app runs in
    #[arg(long, value_name = "DIR")]
    pub(crate) cwd: Option<PathBuf>,

    /// Restart the app when it uses more memory than this, such as 300M
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_memory_restart: Option<String>,

    /// Give the app up after so many restarts in a row
    #[arg(long, value_name = "N")]
    pub(crate) max_restarts: Option<String>,

    /// Do not start the app again after it has ended
    #[arg(long)]
    pub(crate) no_autorestart: bool,

    /// Milliseconds before it is started again
    #[arg(long, value_name = "MS")]
    pub(crate) restart_delay: Option<String>,

    /// Milliseconds before it is killed, after it was told to end
    #[arg(long, value_name = "MS")]
    pub(crate) kill_timeout: Option<String>,

    /// Milliseconds that it may take to be ready
    #[arg(long, value_name = "MS")]
    pub(crate) listen_timeout: Option<String>,

    /// Wait until it says that it is ready
    #[arg(long)]
    pub(crate) wait_ready: bool,

    /// Write all instances into one file
    #[arg(long)]
    pub(crate) merge_logs: bool,

    /// Restart the app when a file changes
    #[arg(long)]
    pub(crate) watch: bool,

    /// Give it up if it ends so soon after its start, in milliseconds
    #[arg(long, value_name = "MS")]
    pub(crate) min_uptime: Option<String>,

    /// Milliseconds before it is started again, longer each time
    #[arg(long, value_name = "MS")]
    pub(crate) exp_backoff_restart_delay: Option<String>,

    /// Exit statuses after which the app is not started again, with commas between them
    #[arg(long, value_name = "STATUSES")]
    pub(crate) stop_exit_codes: Option<String>,

    /// Send it the message shutdown before it is told to end
    #[arg(long)]
    pub(crate) shutdown_with_message: bool,

    /// Files whose changes restart nothing
    #[arg(long, value_name = "PATTERN", num_args = 1)]
    pub(crate) ignore_watch: Vec<String>,

    /// The user that it runs as
    #[arg(long, value_name = "USER")]
    pub(crate) uid: Option<String>,

    /// The group that it runs as
    #[arg(long, value_name = "GROUP")]
    pub(crate) gid: Option<String>,

    /// Arguments of the app in one word
    #[arg(short, long, value_name = "ARGUMENTS", allow_hyphen_values = true)]
    pub(crate) args: Option<String>,

    /// Accepted, and has no effect
    #[arg(long, value_name = "NAME")]
    pub(crate) namespace: Option<String>,

    /// Accepted, and has no effect
    #[arg(short, long, value_name = "FILE")]
    pub(crate) log: Option<String>,

    /// How logs writes the date before each line: YYYY-MM-DD HH:mm:ss
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_date_format: Option<String>,

    /// The same with the format YYYY-MM-DDTHH:mm:ss
    #[arg(long)]
    pub(crate) time: bool,

    /// Only add the app to the list; start NAME starts it
    #[arg(long)]
    pub(crate) no_autostart: bool,

    /// Write no logs
    #[arg(long)]
    pub(crate) disable_logs: bool,

    /// Send the stop signal to its main process alone
    #[arg(long)]
    pub(crate) no_treekill: bool,

    /// Accepted, and has no effect
    #[arg(long, value_name = "TYPE")]
    pub(crate) log_type: Option<String>,

    /// Milliseconds without a change of a file before a restart
    #[arg(long, value_name = "MS")]
    pub(crate) watch_delay: Option<String>,

    /// What today's pm2 may be told, without an effect here
    #[arg(long, hide = true, action = ArgAction::Count, aliases = WITHOUT_EFFECT)]
    pub(crate) no_color: u8,

    /// The same with a value
    #[arg(long, hide = true, value_name = "VALUE", aliases = WITH_VALUE_WITHOUT_EFFECT)]
    pub(crate) parallel: Option<String>,

    /// The same for logs, whose lines begin with a time anyway
    #[arg(long, hide = true, value_name = "FORMAT", num_args = 0..=1)]
    pub(crate) timestamp: Option<String>,

    /// How many earlier lines [default: 15]
    #[arg(long, value_name = "N")]
    pub(crate) lines: Option<usize>,

    /// Print the earlier lines, and end
    #[arg(long)]
    pub(crate) nostream: bool,

    /// Lines as they were written
    #[arg(long)]
    pub(crate) raw: bool,

    /// Lines as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Only stderr
    #[arg(long)]
    pub(crate) err: bool,

    /// Only stdout
    #[arg(long)]
    pub(crate) out: bool,

    /// Whether stdout is for what apps write there, and stderr for what they write there, as in `pm2-runtime`.
    #[arg(skip)]
    pub(crate) streams_are_of_apps: bool,

    /// Keys of declarations, and the values that they have where nothing is said.
    #[arg(skip)]
    pub(crate) usual: Vec<(&'static str, serde_json::Value)>,
}

/// The arguments, or what came of a command line that asks only for help or for the version.
pub(crate) fn parse(words: &[OsString]) -> Result<Result<Args, Outcome>> {
    let args = match Args::try_parse_from(words) {
        Ok(args) => args,
        Err(error) if !error.use_stderr() => return Err(error.into()),
        Err(error) => return Err(in_words(&error)),
    };
    if args.version {
        say::plain(VERSION)?;
        return Ok(Err(Outcome::Done));
    }
    if let Some(word) = negative_number(&args.words).or_else(|| of_logs_elsewhere(&args, words)) {
        return Err(unknown(word, "").into());
    }
    if let Some(word) = own_words(words).find(|word| word.starts_with("-i=")) {
        // pm2 0.7.2 reads what follows a short option as further short options.
        return Err(anyhow!("{}, and with a space before it: -i {}", count::WANTED, &word[3..]));
    }
    Ok(Ok(args))
}

/// The words before the first `--`, those that are no UTF-8 left out.
fn own_words(words: &[OsString]) -> impl Iterator<Item = &str> {
    words.iter().skip(1).filter_map(|word| word.to_str()).take_while(|word| *word != "--")
}

/// An option of `logs` that another command was given. pm2 0.7.2 has none of them.
fn of_logs_elsewhere<'a>(args: &Args, words: &'a [OsString]) -> Option<&'a str> {
    let is_logs = args.words.first().is_none_or(|verb| matches!(verb.as_str(), "logs" | "log"));
    let name = |word: &'a str| word.split('=').next().unwrap_or(word);
    own_words(words).map(name).find(|word| !is_logs && OF_LOGS.contains(word))
}

/// A word such as `-1`, which the parser lets through for the sake of `scale NAME -1`, and which is an option anywhere else.
fn negative_number(words: &[String]) -> Option<&str> {
    let is_scale = words.first().is_some_and(|verb| verb == "scale");
    let mut words = words.iter().enumerate().filter(|(place, _)| !(is_scale && *place == 2));
    words.find(|(_, word)| word.len() > 1 && word.starts_with('-')).map(|(_, word)| word.as_str())
}

fn unknown(option: &str, nearest: &str) -> Usage {
    Usage(format!("unknown option `{option}'{nearest}"))
}

/// The help, on stdout.
pub(crate) fn help() -> Result<()> {
    say::plain(Args::command().render_help())?;
    Ok(())
}

/// A refusal of the parser as pm2 words it.
fn in_words(error: &clap::Error) -> anyhow::Error {
    let argument = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => argument.clone(),
        Some(ContextValue::Strings(arguments)) => arguments.join(" "),
        _ => String::new(),
    };
    let is_missing =
        matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(value)) if value.is_empty());
    let text = match error.kind() {
        ErrorKind::UnknownArgument => {
            let nearest = match error.get(ContextKind::SuggestedArg) {
                Some(ContextValue::String(nearest)) => format!(", did you mean {nearest}?"),
                _ => String::new(),
            };
            return unknown(&argument, &nearest).into();
        }
        ErrorKind::InvalidValue | ErrorKind::TooFewValues if is_missing => {
            let shown = argument.rsplit("--").next().map_or_else(String::new, |long| {
                let long = long.split_whitespace().next().unwrap_or_default();
                shown_option(long)
            });
            format!("option `{shown}' argument missing")
        }
        _ => {
            return anyhow!(Usage(
                error.to_string().lines().next().unwrap_or_default().replacen("error: ", "", 1)
            ));
        }
    };
    anyhow!(Usage(text))
}

/// `-n --name <name>`, as pm2 shows an option whose value is missing.
fn shown_option(long: &str) -> String {
    let command = Args::command();
    let Some(option) = command.get_arguments().find(|option| option.get_long() == Some(long)) else {
        return format!("--{long}");
    };
    let short = option.get_short().map_or_else(String::new, |short| format!("-{short} "));
    let other = VALUES.iter().find(|(option, _)| *option == long);
    let value = other.map_or_else(|| long.replace('-', "_"), |(_, value)| (*value).to_owned());
    format!("{short}--{long} <{value}>")
}
