//! Writes man pages and completions from the arguments that the programs take: `pages DIR`. They cannot fall behind the
//! programs. `procfile-util` makes its own; `scripts/pages` calls both. `pages --site DIR CHECKOUT` writes the documentation as a site.

mod man;
mod markdown;
mod site;

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap_complete::{Shell, generate_to};
use ps_cli::completion::Shell as Asking;

const SHELLS: [(Shell, &str); 3] = [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish")];

/// The programs that complete the names of what exists themselves.
const LIVE: [&str; 8] =
    ["ps-explain", "ps-lifecycle", "ps-logs", "ps-pm2", "ps-report", "ps-scale", "ps-set", "ps-top"];

const USAGE: &str = "usage: pages DIR\n       pages --site DIR CHECKOUT";

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match &arguments[..] {
        [site, out, checkout] if site == "--site" => {
            site::write(Path::new(out), Path::new(checkout), &commands())
        }
        [help] if help == "--help" || help == "-h" => {
            writeln!(std::io::stdout(), "{USAGE}").context("write to stdout")
        }
        [out] if !out.as_encoded_bytes().starts_with(b"-") => write_pages(out),
        _ => bail!(USAGE),
    }
}

/// What the programs say of themselves, but for `procfile-util`.
fn commands() -> [clap::Command; 14] {
    [
        ps_balance::command(),
        ps_explain::command(),
        ps_inspect_sanitize::command(),
        ps_lifecycle::command(),
        ps_logs::command(),
        ps_node::command(),
        ps_notify::command(),
        ps_pm2::command(),
        ps_report::command(),
        ps_scale::command(),
        ps_set::command(),
        ps_supervise::command(),
        ps_top::command(),
        ps_web::command(),
    ]
}

fn write_pages(out: &OsStr) -> Result<()> {
    let out = PathBuf::from(out);
    let man = directory(&out, "man/man1")?;
    for command in commands() {
        let name = command.get_name().to_owned();
        let mut command = command.disable_help_subcommand(true);
        for (shell, place) in SHELLS {
            let directory = directory(&out, &format!("completions/{place}"))?;
            let written = generate_to(shell, &mut command, &name, directory);
            let written = written.with_context(|| format!("completion of {name}"))?;
            if let Some(shell) = Asking::named(place).filter(|_| LIVE.contains(&&*name)) {
                fs::write(&written, shell.script(&name)).with_context(|| written.display().to_string())?;
            }
        }
        clap_mangen::generate_to(command, &man).with_context(|| format!("man page of {name}"))?;
    }
    man::arrange_all(&man)
}

fn directory(out: &Path, below: &str) -> Result<PathBuf> {
    let path = out.join(below);
    fs::create_dir_all(&path).with_context(|| format!("create {}", path.display()))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::Command;

    /// The columns within which clap prints help, unless the terminal is narrower.
    const WIDTH: usize = 100;

    /// What is said of each command in the list of the command above it.
    fn introductions(command: &Command) -> BTreeMap<String, String> {
        let said = |command: &Command| command.get_about().map(ToString::to_string).unwrap_or_default();
        let below = command.get_subcommands();
        below.map(|command| (command.get_name().to_owned(), said(command))).collect()
    }

    /// The paragraphs with line breaks of their own that are wider than help is printed: clap breaks such lines once more.
    fn too_wide(command: &Command) -> Vec<String> {
        let texts = [command.get_long_about(), command.get_after_help(), command.get_after_long_help()];
        let of_arguments = command.get_arguments().filter_map(clap::Arg::get_long_help);
        let texts: Vec<_> =
            texts.into_iter().flatten().chain(of_arguments).map(ToString::to_string).collect();
        let paragraphs = texts.iter().flat_map(|text| text.split("\n\n"));
        let lines = paragraphs.filter(|paragraph| paragraph.contains('\n')).flat_map(str::lines);
        let name = command.get_name();
        let here = lines.filter(|line| line.chars().count() > WIDTH).map(|line| format!("{name}: {line}"));
        here.chain(command.get_subcommands().flat_map(too_wide)).collect()
    }

    #[test]
    fn help_breaks_no_line_that_is_broken_already() {
        let lines = super::commands().into_iter().flat_map(|mut command| {
            command.build();
            too_wide(&command)
        });
        assert_eq!(lines.collect::<Vec<_>>(), [""; 0]);
    }

    /// clap adds the options of a command when it is asked for, and lets the documentation of a struct of options replace the command's own.
    #[test]
    fn the_page_of_a_command_begins_with_what_lists_say_of_it() {
        for mut command in super::commands() {
            let in_lists = introductions(&command);
            command.build();
            let mut on_pages = introductions(&command);
            on_pages.remove("help");
            assert_eq!(on_pages, in_lists, "{}", command.get_name());
        }
    }
}
