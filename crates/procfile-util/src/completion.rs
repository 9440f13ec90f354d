//! `completion` and `man`: both are generated from the table of subcommands, so they always agree with it.

use anyhow::{Result, bail};
use clap_complete::Shell;
use ps_cli::exit::Outcome;

use crate::command::Command;
use crate::flags::{Flag, Given, Kind};
use crate::output;

const NAME: &str = "procfile-util";

/// `completion --shell SHELL`: prints a script for a shell.
pub(crate) fn run(commands: &[Command], given: &Given) -> Result<Outcome> {
    let shell = match &*given.word("shell") {
        "bash" => Shell::Bash,
        "zsh" => Shell::Zsh,
        "fish" => Shell::Fish,
        other => bail!("no completion for shell {other:?}: use bash, zsh or fish"),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut program(commands), NAME, &mut script);
    output::print(&script)
}

/// `man`: prints the manual page of the program or of a subcommand.
pub(crate) fn man(commands: &[Command], given: &Given) -> Result<Outcome> {
    let name = given.word("page").into_owned();
    let (page, title) = match commands.iter().find(|command| command.name == name) {
        Some(command) => (subcommand(command), format!("{NAME}-{name}")),
        None if name.is_empty() => (program(commands), NAME.to_owned()),
        None => bail!("no page {name:?}: use the name of a subcommand, or none"),
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page.version(env!("CARGO_PKG_VERSION"))).title(title).render(&mut text)?;
    output::print(&text)
}

fn program(commands: &[Command]) -> clap::Command {
    clap::Command::new(NAME)
        .version(env!("CARGO_PKG_VERSION"))
        .about("Check, read and edit Procfiles")
        .subcommands(commands.iter().map(subcommand))
}

fn subcommand(command: &Command) -> clap::Command {
    let examples: Vec<String> = command.examples.iter().map(|line| format!("  {line}")).collect();
    clap::Command::new(command.name)
        .about(command.synopsis)
        .long_about(format!("{}\n\n{}", command.synopsis, command.about.replace("\n  ", "\n")))
        .after_help(format!("Examples:\n{}", examples.join("\n")))
        .args(command.flags.iter().flat_map(|group| group.iter()).map(argument))
}

fn argument(flag: &Flag) -> clap::Arg {
    let argument = clap::Arg::new(flag.long).long(flag.long).help(flag.help);
    let argument = match flag.short {
        Some(short) => argument.short(char::from(short)),
        None => argument,
    };
    let file = clap::ValueHint::FilePath;
    match flag.kind {
        Kind::Switch => argument.action(clap::ArgAction::SetTrue),
        Kind::Integer(default) => {
            argument.value_name("int").help(format!("{} (default {default})", flag.help))
        }
        Kind::Text(default) => {
            let is_path = ["procfile", "env-file", "write-path"].contains(&flag.long);
            let argument = if is_path { argument.value_hint(file) } else { argument };
            let argument = argument.value_name("string");
            if default.is_empty() { argument } else { argument.default_value(default) }
        }
    }
}
