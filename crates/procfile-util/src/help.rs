//! The overview of all subcommands, and the help text of each.

use std::fmt::Write as _;

use crate::command::Command;
use crate::commands::COMMANDS;
use crate::flags::{Flag, Kind};

/// The overview.
pub(crate) fn overview() -> String {
    let mut text = String::from(
        "Usage: procfile-util [--version] [--help] <command> [<args>]\n\nAvailable commands are:\n",
    );
    let width = COMMANDS.iter().map(|command| command.name.len()).max().unwrap_or_default();
    for command in &COMMANDS {
        put(&mut text, format_args!("    {:width$}    {}\n", command.name, command.synopsis));
    }
    text
}

/// The help of a subcommand.
pub(crate) fn of(command: &Command) -> String {
    let mut flags: Vec<&Flag> = command.flags.iter().flat_map(|group| group.iter()).collect();
    flags.sort_by_key(|flag| flag.long);
    let mut text = format!("Usage: procfile-util {}", command.name);
    for flag in &flags {
        match flag.kind {
            Kind::Switch => put(&mut text, format_args!(" --{}", flag.long)),
            Kind::Text(_) | Kind::Integer(_) => put(&mut text, format_args!(" --{0} <{0}-value>", flag.long)),
        }
    }
    put(&mut text, format_args!(" \n\n  {}\n\n  {}\n\nOptions:\n\n", command.synopsis, command.about));
    let left: Vec<String> = flags.iter().map(|flag| spelling(flag)).collect();
    let width = left.iter().map(String::len).max().unwrap_or_default();
    for (flag, left) in flags.iter().zip(left) {
        put(&mut text, format_args!("  {left:width$}  {}{}\n", flag.help, default(flag)));
    }
    text.push_str("\nExamples:\n\n");
    for example in command.examples {
        put(&mut text, format_args!("  {example}\n"));
    }
    text
}

fn spelling(flag: &Flag) -> String {
    let short = flag.short.map_or_else(|| "    ".to_owned(), |short| format!("-{}, ", char::from(short)));
    let value = match flag.kind {
        Kind::Switch => "",
        Kind::Text(_) => " string",
        Kind::Integer(_) => " int",
    };
    format!("{short}--{}{value}", flag.long)
}

fn default(flag: &Flag) -> String {
    match flag.kind {
        Kind::Text("") | Kind::Integer(0) | Kind::Switch => String::new(),
        Kind::Text(text) => format!(" (default {text:?})"),
        Kind::Integer(number) => format!(" (default {number})"),
    }
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(what);
}
