//! Units of systemd: each service becomes a process type. Several units may stand one behind the other, each below a line that names
//! its file: `==> path <==`, as `tail -v` and `export --stdout` write it, or `# /path`, as `systemctl cat` does.

use crate::export::held::{path_loader, released};
use crate::import::command::{self, Command, Piece, Word};
use crate::import::directory;
use crate::import::error::ImportError;
use crate::import::found::{Asked, Found};
use crate::import::gather::Gathering;
use crate::import::unit::{self, Unit};
use crate::import::unit_family::{Family, Member, Writer};
use crate::import::unit_words::{self, unspecified};
use crate::import::words;

/// What is read here, and what says nothing about how a process runs.
const KNOWN: &[&str] =
    &["Description", "Documentation", "ExecStart", "Environment", "PartOf", "WorkingDirectory"];

/// Reads units. `name` is the name of the file, which a unit has if no line above it names another.
pub(crate) fn read(gathering: &mut Gathering, name: &str, text: &str) -> Result<(), ImportError> {
    let units = unit::read_all(name, text)?;
    let family = Family::of(&units);
    for unit in &units {
        match unit.name.rsplit_once('.') {
            Some((stem, "service")) if family.is_mere_template(stem) => {}
            Some((stem, "service")) => service(gathering, &family, stem, unit),
            Some((_, "target")) => {}
            _ => gathering.note(&unit.name, "left out: it is no service"),
        }
    }
    Ok(())
}

fn service(gathering: &mut Gathering, family: &Family<'_>, stem: &str, unit: &Unit) {
    let environment = environment(gathering, stem, unit);
    let Member { name, instance, writer } = Member::of(stem, unit, family, &environment);
    let line = match unit.all("ExecStart")[..] {
        [line] => line,
        [] => return gathering.note(stem, "left out: it has no ExecStart"),
        _ => return gathering.note(stem, "left out: it has several ExecStart"),
    };
    let command = match exec(gathering, stem, line) {
        Ok(words) => match writer {
            Writer::Ours => of_our_own(words),
            Writer::Foreman => of_login_shell(words),
            Writer::Other => Command::Argv(words),
        },
        Err(why) => return gathering.note(stem, format_args!("left out: {why}")),
    };
    if stem.ends_with('@') {
        gathering.note(stem, "is a template: 1 instance is written");
    }
    let start =
        unit.all("WorkingDirectory").last().map(|path| directory::plain(path.trim_start_matches('-')));
    let rest = unit.keys();
    gathering.note_settings(stem, rest.filter(|key| !KNOWN.contains(key)));
    gathering.add(Found {
        name,
        command,
        count: 1,
        environment,
        directory: start,
        instance,
        asked: Asked::default(),
    });
}

/// The command of a unit that foreman or honcho wrote: without the login shell, and without the `exec -a` by which foreman names the
/// process.
fn of_login_shell(words: Vec<Word>) -> Command {
    let text = |word: &Word| words::literal(word).map(str::to_owned);
    let [shell, flag, script] = &words[..] else { return Command::Argv(words) };
    let (Some(shell), Some(flag), Some(script)) = (text(shell), text(flag), text(script)) else {
        return Command::Argv(words);
    };
    let is_shell =
        ["sh", "bash", "dash", "zsh", "ksh"].contains(&shell.rsplit('/').next().unwrap_or_default());
    if !is_shell || flag != "-lc" {
        return Command::Argv(words);
    }
    let named = script.strip_prefix("exec -a \"").and_then(|rest| rest.split_once("\" "));
    let script = named.map_or(script.as_str(), |(_, command)| command);
    Command::Script(command::without_exec(script).to_owned())
}

/// The command of a unit that `procfile-util export` wrote: without the login shell and the script that sets the app's `PATH`.
fn of_our_own(words: Vec<Word>) -> Command {
    let loader = command::literal(path_loader().as_str());
    match &words[..] {
        [shell, flag, more @ .., script]
            if *shell == command::literal("/bin/bash")
                && *flag == command::literal("-lc")
                && more.iter().all(|word| *word == loader)
                && more.len() < 2 =>
        {
            match &script[..] {
                [Piece::Literal(script)] => Command::Script(command::without_exec(script).to_owned()),
                _ => Command::Argv(words),
            }
        }
        _ => Command::Argv(words),
    }
}

/// The words of `ExecStart=`, without the marks such as `-` and `@` before the program.
fn exec(gathering: &mut Gathering, stem: &str, line: &str) -> Result<Vec<Word>, &'static str> {
    let marks = line.len() - line.trim_start_matches(['@', '-', ':', '+', '!', '|']).len();
    let (marks, line) = line.split_at(marks);
    let mut words = unit_words::split(line)?;
    if words.iter().any(|word| word == ";") {
        return Err("its ExecStart is several commands");
    }
    if marks.contains('@') {
        if words.len() < 2 {
            return Err("its ExecStart has no program");
        }
        words.remove(1);
        gathering.note(stem, "the program keeps its own name as argv[0]");
    }
    if marks.contains('|') {
        return Err("its ExecStart asks for a shell by |");
    }
    if let Some(mark) = marks.chars().find(|mark| matches!(mark, '-' | '+' | '!')) {
        gathering.note(stem, format_args!("no place in a Procfile for {mark} before the command"));
    }
    let words: Option<Vec<String>> = words.iter().map(|word| unspecified(word)).collect();
    let words = words.ok_or("its ExecStart holds a % that only systemd can fill in")?;
    Ok(words
        .iter()
        .map(|word| if marks.contains(':') { command::literal(word) } else { variables(word) })
        .collect())
}

/// Takes the variables out of a word. `$$` is a dollar sign. `${X}` is a variable anywhere, and `$X` if it is the whole word; then its
/// value may become several words.
fn variables(word: &str) -> Word {
    let is_name = |name: &str| words::name_len(name) == name.len() && !name.is_empty();
    if let Some(name) = word.strip_prefix('$').filter(|name| is_name(name)) {
        return vec![Piece::Variable { written: format!("${{{name}}}"), quoted: false }];
    }
    let (mut pieces, mut literal, mut rest) = (Vec::new(), String::new(), word);
    while let Some(at) = rest.find('$') {
        literal.push_str(&rest[..at]);
        let behind = &rest[at + 1..];
        let braced = behind.strip_prefix('{').and_then(|behind| behind.split_once('}'));
        rest = if let Some((name, after)) = braced.filter(|(name, _)| is_name(name)) {
            pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            pieces.push(Piece::Variable { written: format!("${{{name}}}"), quoted: true });
            after
        } else {
            literal.push('$');
            behind.strip_prefix('$').unwrap_or(behind)
        };
    }
    literal.push_str(rest);
    pieces.push(Piece::Literal(literal));
    pieces
}

fn environment(gathering: &mut Gathering, stem: &str, unit: &Unit) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for line in unit.all("Environment") {
        let Ok(words) = unit_words::split(line) else {
            gathering.note(stem, "a line of its Environment is left out: it has a quote that is not closed");
            continue;
        };
        for word in words {
            let Some((name, value)) = word.split_once('=') else { continue };
            match unspecified(value) {
                Some(value) => variables.push((released(name).to_owned(), value)),
                None => {
                    gathering.note(stem, format_args!("variable {name} is left out: systemd fills it in"));
                }
            }
        }
    }
    variables
}
