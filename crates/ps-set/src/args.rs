//! The command line of `ps-set`. Everything after the property is its value, even if it looks like a flag, so the line
//! is split there before it is parsed. Nothing is read or changed here.

use std::ffi::OsString;

use anyhow::Result;
use clap::Parser;
use ps_cli::Format;
use ps_cli::exit::Refusal;
use ps_cli::worlds::WorldArg;

const EXAMPLES: &str = "\
Examples:
  ps-set box restart-policy on-failure:20      set a property
  ps-set box start-cmd node --harmony app.js   flags end at the property
  ps-set box start-cmd                         clear it
  ps-set --global stop-timeout-seconds 60      for every app without a value of its own
  ps-set box port 3000                         web.1 gets PORT=3000, web.2 gets PORT=3001
  ps-set box worker.stop-timeout-seconds 300   for one process type alone
  ps-set box webhook - < address.txt           a secret, which no list of processes shows
  ps-set box                                   every setting with its value, and who set it
  ps-set --list box --json

Properties: `ps-set box` lists all of them, with what is set. Many can also be set for one process
type: `ps-set box worker.nice 5`.

Exit status: 0 done, 1 refused or failed, 2 wrong usage, 20 no such app, 75 the app is being changed: try again.";

/// Flags whose value is the next word.
const FLAGS_WITH_VALUE: [&str; 3] = ["--format", "--wait", "--world"];
/// Flags that only read. Every other word is then an app, a property or an argument.
const FLAGS_THAT_READ: [&str; 7] = ["--list", "--get", "--from-trigger", "--help", "-h", "--version", "-V"];

/// Reads and changes the ps properties of an app, or the defaults for all apps.
#[derive(Clone, Debug, Parser)]
#[command(name = "ps-set", version = ps_cli::VERSION, after_help = EXAMPLES, override_usage = "\
ps-set [--wait SECONDS] [--world pm2|DIR] (<app>|--global) [<type>.]<property> [<value>…]
       ps-set <app>
       ps-set --list [--format text|json|csv] [--global] [<app>…]
       ps-set --get (<app>|--global) <property>")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own on the command line")]
pub(crate) struct Args {
    /// The app and the property; with --global the property; with --list any number of apps
    #[arg(value_name = "WORD")]
    pub(crate) words: Vec<String>,

    /// Read or set the default for every app
    #[arg(long)]
    pub(crate) global: bool,

    /// Print every property: its value, who set it, its default
    #[arg(long, conflicts_with = "get")]
    pub(crate) list: bool,

    /// Print the value of one property, or its default
    #[arg(long)]
    pub(crate) get: bool,

    /// The form in which --list prints
    #[arg(long, value_enum, default_value = "text")]
    format: Format,

    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,

    /// Print no messages about a change, and no headings
    #[arg(long)]
    pub(crate) quiet: bool,

    /// How long to wait while another program changes the app; 0: do not wait
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub(crate) wait: u64,

    #[command(flatten)]
    pub(crate) world: WorldArg,

    /// Answer a trigger of Dokku; its arguments follow (see the manual)
    #[arg(long, value_name = "TRIGGER", hide_short_help = true)]
    pub(crate) from_trigger: Option<String>,

    /// The value that follows the property.
    #[arg(skip)]
    pub(crate) value: String,
}

impl Args {
    /// Parses a whole command line, the program's name included.
    pub(crate) fn of(arguments: Vec<OsString>) -> Result<Self> {
        let (front, value) = cut(arguments);
        let mut args = Self::try_parse_from(front)?;
        args.value = join(value)?;
        Ok(args)
    }

    /// The same arguments with another value.
    pub(crate) fn with_value(self, value: String) -> Self {
        Self { value, ..self }
    }

    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

/// Splits a command line into the words up to the property, which clap parses, and the words of the value.
fn cut(mut arguments: Vec<OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let at = end_of_front(&arguments);
    let value = arguments.split_off(at);
    (arguments, value)
}

fn end_of_front(arguments: &[OsString]) -> usize {
    let (mut seen, mut wanted, mut only_words, mut is_skipped) = (0, 2, false, false);
    for (index, argument) in arguments.iter().enumerate().skip(1) {
        let word = argument.to_str().unwrap_or_default();
        if is_skipped {
            is_skipped = false;
        } else if !only_words && word.starts_with('-') && word.len() > 1 {
            only_words = word == "--";
            is_skipped = FLAGS_WITH_VALUE.contains(&word);
            wanted = if word == "--global" { 1 } else { wanted };
            if FLAGS_THAT_READ.contains(&word) || word.starts_with("--from-trigger=") {
                return arguments.len();
            }
        } else {
            seen += 1;
        }
        if seen == wanted {
            return index + 1;
        }
    }
    arguments.len()
}

fn join(words: Vec<OsString>) -> Result<String> {
    let words = words.into_iter().map(|word| {
        word.into_string().map_err(|word| Refusal::failed(format!("{} is not UTF-8", word.display())))
    });
    let mut words = words.collect::<Result<Vec<String>>>()?;
    if words.first().is_some_and(|word| word == "--") {
        words.remove(0);
    }
    Ok(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Args {
        let line = ["ps-set"].iter().chain(line).map(OsString::from).collect();
        Args::of(line).expect("a line that parses")
    }

    #[test]
    fn flags_end_at_the_property_and_a_leading_double_dash_is_dropped() {
        let rows: [(&[&str], &[&str], &str); 9] = [
            (&["box", "start-cmd", "a", "b c", "-d"], &["box", "start-cmd"], "a b c -d"),
            (&["box", "start-cmd", "--", "--harmony", "x"], &["box", "start-cmd"], "--harmony x"),
            (&["box", "start-cmd", "--", "--", "x"], &["box", "start-cmd"], "-- x"),
            (&["box", "start-cmd", "--help"], &["box", "start-cmd"], "--help"),
            (&["--wait", "3", "box", "restore", "no", "--wait", "4"], &["box", "restore"], "no --wait 4"),
            (&["--global", "restart-policy", "no"], &["restart-policy"], "no"),
            (&["--", "box", "restart-policy", "no"], &["box", "restart-policy"], "no"),
            (&["--list", "a", "b", "c"], &["a", "b", "c"], ""),
            (&["box", "restore"], &["box", "restore"], ""),
        ];
        for (line, words, value) in rows {
            let args = parse(line);
            assert_eq!(
                (args.words, args.value),
                (words.iter().map(|w| (*w).to_owned()).collect(), value.to_owned())
            );
        }
        assert_eq!(parse(&["--wait", "3", "box", "restore", "no"]).wait, 3);
    }
}
