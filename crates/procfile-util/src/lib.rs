//! Checks, reads and edits Procfiles. It can replace Dokku's tool of the same name: it takes the same arguments and
//! prints the same bytes, except for the differences that docs/programs/procfile-util.md lists.

mod check;
mod command;
mod commands;
mod completion;
mod counts;
mod delete;
mod diagnose;
mod diff;
mod edit;
mod exists;
mod expand;
mod export;
mod exported_files;
mod files;
mod flags;
mod fmt;
mod help;
mod import;
mod list;
mod near;
mod number;
mod output;
mod quote;
mod search;
mod set;
mod show;
mod staged;
mod talk;
mod trigger;
mod version;
mod write;

use std::ffi::OsString;

use anyhow::Result;
use ps_cli::exit::{self, Outcome};

use crate::command::Command;
use crate::flags::Refused;
use crate::talk::Failure;

/// The exit status if there is no subcommand, or an unknown one.
const NO_COMMAND: u8 = 127;

/// Runs the program. It prints its own errors, in the form that Dokku's scripts expect.
pub fn run() -> Result<Outcome> {
    let args: Vec<OsString> = exit::arguments().into_iter().skip(1).collect();
    match dispatch(&args) {
        Err(error) if !is_broken_pipe(&error) => {
            talk::failure(&error);
            Ok(Outcome::No)
        }
        ended => ended,
    }
}

fn dispatch(args: &[OsString]) -> Result<Outcome> {
    if let Some((_, words)) = args.split_first().filter(|(first, _)| *first == "--from-trigger") {
        return trigger::answer(words);
    }
    let is = |arg: &OsString, words: [&str; 3]| words.iter().any(|word| arg == word);
    let dashed = |arg: &OsString| arg.is_empty() || arg.as_encoded_bytes()[0] == b'-';
    let at = args.iter().position(|arg| arg == "--" || !dashed(arg)).unwrap_or(args.len());
    let (before, rest) = args.split_at(at);
    let asked_for_help = before.iter().any(|arg| is(arg, ["-h", "-help", "--help"]));
    if before.iter().any(|arg| is(arg, ["-v", "-version", "--version"])) {
        return output::print(format!("{}\n", version::NUMBER).as_bytes());
    }
    let Some((name, rest)) = rest.split_first().filter(|(name, _)| *name != "--") else {
        return if asked_for_help { output::print(help::overview().as_bytes()) } else { Ok(unknown(None)) };
    };
    if name == "help" {
        return help(rest);
    }
    let Some(command) = name.to_str().and_then(commands::find) else { return Ok(unknown(Some(name))) };
    if asked_for_help || flags::ask_for_help(command.flags, rest) {
        return output::print(help::of(command).as_bytes());
    }
    if before.iter().any(|arg| !arg.is_empty()) {
        return Err(Failure::bare(format!(
            "Invalid flags before the subcommand. If these flags are for\nthe subcommand, please put them after the subcommand.\n\n{}",
            help::of(command)
        )));
    }
    run_command(command, rest)
}

fn run_command(command: &Command, args: &[OsString]) -> Result<Outcome> {
    let hint = format!("For additional help try 'procfile-util {} --help'", command.name);
    match flags::parse(command.flags, command.operand, args) {
        Ok(given) => (command.run)(&given),
        Err(Refused::Said(text)) => {
            let meant = command.meant(&text);
            Err(Failure::hinted(vec![text, hint], meant))
        }
        Err(Refused::Help) => {
            output::print(help::of(command).as_bytes())?;
            Err(Failure::lines(vec!["pflag: help requested".to_owned(), hint]))
        }
    }
}

/// `help [COMMAND]`: printed on stdout, because it was asked for.
fn help(topics: &[OsString]) -> Result<Outcome> {
    match topics.iter().find(|topic| topic.as_encoded_bytes().first().is_some_and(|byte| *byte != b'-')) {
        None => output::print(help::overview().as_bytes()),
        Some(topic) => match topic.to_str().and_then(commands::find) {
            Some(command) => output::print(help::of(command).as_bytes()),
            None => Ok(unknown(Some(topic))),
        },
    }
}

/// Prints the overview on stderr. The exit status is the one that a shell has for a command that it cannot find.
fn unknown(name: Option<&OsString>) -> Outcome {
    talk::say(&help::overview());
    if let Some(name) = name.map(|name| name.to_string_lossy()) {
        let meant = near::nearest(&name, commands::COMMANDS.iter().map(|command| command.name));
        let meant = meant.map_or_else(String::new, |meant| format!(": did you mean {meant}?"));
        talk::say(&format!("{name:?} is no command{meant}"));
    }
    Outcome::Status(NO_COMMAND)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
    };
    error.chain().any(|cause| io(cause) == Some(std::io::ErrorKind::BrokenPipe))
}
