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
    let (page, title, examples) = match commands.iter().find(|command| command.name == name) {
        Some(command) => (of_subcommand(command), format!("{NAME}-{name}"), command.examples),
        None if name.is_empty() => {
            (program(commands).disable_help_subcommand(true), NAME.to_owned(), &[][..])
        }
        None => bail!("no page {name:?}: use the name of a subcommand, or none"),
    };
    let page = clap_mangen::Man::new(page.version(env!("CARGO_PKG_VERSION"))).title(title);
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    if name.is_empty() {
        page.render_subcommands_section(&mut text)?;
    } else {
        page.render_options_section(&mut text)?;
        text.extend(examples_section(examples).bytes());
    }
    page.render_version_section(&mut text)?;
    output::print(&text)
}

/// The page of a subcommand bears the name of the program too.
fn of_subcommand(command: &Command) -> clap::Command {
    let (name, called) = (format!("{NAME}-{}", command.name), format!("{NAME} {}", command.name));
    subcommand(command).display_name(name).bin_name(called)
}

/// The examples as they are to be typed. A backslash, a hyphen and a quote of roff are written so that they can be copied (groff_char(7)).
fn examples_section(examples: &[&str]) -> String {
    let typed = |line: &&str| line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    let lines: Vec<String> = examples.iter().map(|line| format!("  {}\n", typed(line))).collect();
    if lines.is_empty() { String::new() } else { format!(".SH EXAMPLES\n.nf\n{}.fi\n", lines.concat()) }
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
