//! Completion of command lines in bash, zsh and fish with the names that exist: apps, process types, instances, worlds. They are read from
//! files alone: neither an engine nor a supervisor is asked. A shell runs the program with `FORMATION_COMPLETE` in its environment and the
//! words up to the cursor after `--`. The program prints the candidates for the word at the cursor. If something is wrong it prints
//! nothing, because an error would appear in the line that somebody is typing.

mod line;
mod names;
mod shell;

use std::io::{self, Write};
use std::sync::Arc;

use clap::builder::ValueHint;
use clap::{Arg, Command};
use clap_complete::engine::{self, ArgValueCompleter};

use crate::exit;

pub use line::Line;
pub use names::{Name, apps};
pub use shell::Shell;

/// The candidates for an argument, given the words before it.
pub type Candidates = fn(&Line) -> Vec<Name>;

/// If a shell has asked for candidates, prints them; returns whether a shell has asked. `own` lists the arguments, by the identifiers of
/// their fields, whose candidates do not follow from their value's name.
pub fn answered(command: fn() -> Command, own: &'static [(&'static str, Candidates)]) -> bool {
    let Some(shell) = ps_apps::variable(shell::VARIABLE).and_then(|word| Shell::named(word.to_str()?)) else {
        return false;
    };
    let words = exit::arguments().into_iter().skip_while(|word| word != "--").skip(1).collect();
    if let Some(line) = Line::of(command, words) {
        let mut out = io::stdout().lock();
        let _ = out.write_all(answer(command(), own, line, shell).as_bytes()).and_then(|()| out.flush());
    }
    true
}

fn answer(mut command: Command, own: &'static [(&str, Candidates)], line: Line, shell: Shell) -> String {
    let line = Arc::new(line);
    // clap adds the arguments of subcommands only when it builds the command.
    command.build();
    let mut command = with_names(command, own, &line);
    let found = engine::complete(&mut command, line.words(), line.index(), None).unwrap_or_default();
    let has_dash = line.current().starts_with('-');
    let fitting =
        found.into_iter().filter(|one| has_dash || !one.get_value().to_string_lossy().starts_with('-'));
    shell.lines(&line, fitting)
}

/// The command with candidates for its arguments. Paths are left to the shell, which quotes them where necessary.
fn with_names(command: Command, own: &'static [(&str, Candidates)], line: &Arc<Line>) -> Command {
    let command = command.mut_args(|arg| {
        if let Some(candidates) = candidates(&arg, own) {
            let line = Arc::clone(line);
            let matching = move |current: &std::ffi::OsStr| names::matching(candidates(&line), current);
            return arg.add(ArgValueCompleter::new(matching));
        }
        if arg.get_value_hint() == ValueHint::AnyPath { arg.value_hint(ValueHint::Other) } else { arg }
    });
    command.mut_subcommands(|command| with_names(command, own, line))
}

/// The candidates for an argument, by the name that help texts give to its value.
fn candidates(arg: &Arg, own: &'static [(&str, Candidates)]) -> Option<Candidates> {
    if let Some((_, candidates)) = own.iter().find(|(id, _)| arg.get_id() == id) {
        return Some(*candidates);
    }
    if ["app", "apps"].contains(&arg.get_id().as_str()) {
        return Some(names::apps);
    }
    match arg.get_value_names()?.first()?.as_str() {
        "APP|TYPE[.N]" => Some(names::apps_then_instances),
        "TYPE" | "TYPE,…" => Some(names::types),
        "TYPE[.N]" => Some(names::types_and_instances),
        "TYPE.N" => Some(names::instances),
        "TYPE=N" | "TYPE=COUNT" => Some(names::counts),
        "pm2|DIR" => Some(names::worlds),
        _ => None,
    }
}
