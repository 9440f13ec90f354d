//! supervisord's configuration: each program becomes a process type. `%(program_name)s` and other values that the file itself gives
//! are replaced here. `%(ENV_X)s` becomes the shell's `$X`.

mod asked;
mod filled;
mod section;

use std::collections::BTreeMap;

use crate::import::command::{Command, Word, literal};
use crate::import::directory;
use crate::import::error::ImportError;
use crate::import::found::{Found, Instance};
use crate::import::gather::Gathering;
use crate::import::surroundings::ReadFile;
use crate::import::words;
use filled::Filling;
use section::Section;

/// What is read here, and what says nothing about how a process runs.
const KNOWN: &[&str] =
    &["command", "numprocs", "numprocs_start", "process_name", "environment", "autostart", "priority"];

/// The group of a program.
#[derive(Clone, Copy)]
struct Group<'a> {
    name: &'a str,
    /// Whether the names of all programs in the group end in a number, as in files of foreman, honcho and `procfile-util export`.
    numbered: bool,
}

/// Reads a configuration. If it is applied as a whole, the files that `[include]` names are read as well.
pub(crate) fn read(
    gathering: &mut Gathering,
    files: Option<ReadFile<'_>>,
    text: &str,
) -> Result<(), ImportError> {
    let mut sections = sections(text)?;
    let included = files.map_or_else(Vec::new, |files| included(gathering, files, &sections));
    if files.is_some() && gathering.is_whole() {
        sections.retain(|section| section.kind != "include");
    }
    for text in &included {
        sections.extend(self::sections(text)?);
    }
    let mut groups = BTreeMap::new();
    for group in sections.iter().filter(|section| section.kind == "group") {
        let programs: Vec<&str> =
            group.get("programs").unwrap_or_default().split(',').map(str::trim).collect();
        let numbered = programs.iter().all(|program| Instance::of_name(program, true) != Instance::Alone);
        groups.extend(programs.into_iter().map(|program| (program, Group { name: group.name, numbered })));
    }
    for section in &sections {
        match section.kind {
            "program" => program(gathering, section, groups.get(section.name).copied()),
            "supervisord" => {
                let filling = Filling { section, group: None, numprocs: 1, here: None };
                for (name, value) in environment(gathering, &filling).0 {
                    gathering.set_for_all(&name, &value);
                }
            }
            "fcgi-program" | "eventlistener" | "include" => {
                let what = format!("[{}] is left out", [section.kind, section.name].join(" ").trim());
                gathering.note("", what);
            }
            _ => {}
        }
    }
    Ok(())
}

/// The text of the files that `[include]` names, each pattern in one piece. Files that these include in turn are left out, as in
/// supervisord.
fn included(gathering: &mut Gathering, files: ReadFile<'_>, sections: &[Section<'_>]) -> Vec<String> {
    let Some(here) = gathering.directory().map(str::to_owned) else { return Vec::new() };
    let named = sections
        .iter()
        .filter(|section| section.kind == "include")
        .filter_map(|section| section.get("files"));
    let mut all = Vec::new();
    for pattern in named.flat_map(str::split_whitespace) {
        let read = files(&pattern.replace("%(here)s", &here));
        match read.and_then(|bytes| String::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())) {
            Ok(text) => all.push(text),
            Err(why) => gathering.note("", format_args!("[include] {pattern} is left out: {why}")),
        }
    }
    all
}

/// The sections, as Python's configparser reads them: a line that is indented further than the line with the key continues the value,
/// and `;` or `#` behind a blank begins a comment.
fn sections(text: &str) -> Result<Vec<Section<'_>>, ImportError> {
    let mut sections: Vec<Section<'_>> = Vec::new();
    let mut indent_of_key = 0;
    for (number, raw) in (1..).zip(text.lines()) {
        let bad =
            || Err(ImportError::Syntax("configuration of supervisord", format!("line {number} is none")));
        let line = without_comment(raw);
        let indent = line.len() - line.trim_start().len();
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        if let (Some(Section { settings, .. }), true) = (sections.last_mut(), indent > indent_of_key)
            && let Some((_, value)) = settings.last_mut()
        {
            value.push('\n');
            value.push_str(line);
            continue;
        }
        indent_of_key = indent;
        if let Some(header) = line.strip_prefix('[') {
            let Some((header, _)) = header.split_once(']') else { return bad() };
            let (kind, name) = header.split_once(':').unwrap_or((header, ""));
            sections.push(Section { kind: kind.trim(), name: name.trim(), settings: Vec::new() });
        } else {
            let (Some(section), Some((key, value))) = (sections.last_mut(), line.split_once(['=', ':']))
            else {
                return bad();
            };
            section.settings.push((key.trim().to_lowercase(), value.trim().to_owned()));
        }
    }
    Ok(sections)
}

fn without_comment(line: &str) -> &str {
    if line.starts_with(['#', ';']) {
        return "";
    }
    let begins = |(at, c): (usize, char)| {
        (matches!(c, ';' | '#') && line[..at].ends_with(char::is_whitespace)).then_some(at)
    };
    line.char_indices().find_map(begins).map_or(line, |at| &line[..at])
}

fn program(gathering: &mut Gathering, section: &Section<'_>, group: Option<Group<'_>>) {
    let shown = section.name;
    let Some(text) = section.get("command") else {
        return gathering.note(shown, "left out: it has no command");
    };
    let numprocs = section.get("numprocs").unwrap_or("1").trim();
    let Ok(numprocs) = numprocs.parse::<u64>() else {
        return gathering.note(shown, "left out: numprocs is no number");
    };
    let here = gathering.directory().map(str::to_owned);
    let filling = Filling { section, group: group.map(|group| group.name), numprocs, here: here.as_deref() };
    let command = filling
        .fill(text)
        .and_then(|atoms| words::split(atoms).ok_or("its command has a quote that is not closed".to_owned()));
    let words = match command {
        Ok(words) => words,
        Err(why) => return gathering.note(shown, format_args!("left out: {why}")),
    };
    let (environment, own) = environment(gathering, &filling);
    let (name, instance) = instance(section.name, group, &environment);
    let command = match raw_command(text, &words, group, &instance) {
        None if own.is_empty() => Command::Argv(words),
        None => Command::Argv([vec![literal("env")], own, words].concat()),
        Some(script) => {
            gathering
                .note(shown, "its command is taken for a line of a shell, which foreman made no words of");
            script
        }
    };
    let autostart = section.get("autostart").unwrap_or("true").to_lowercase();
    let started = !["false", "no", "off", "0"].contains(&autostart.as_str());
    if !started && !gathering.is_whole() {
        gathering.note(shown, "is not started by itself: 0 is written");
    }
    let mut asked = asked::of(gathering, section);
    if !started {
        asked.count = Some("0".to_owned());
    }
    let has_place = |key: &&str| {
        KNOWN.contains(key) || *key == "directory" || (gathering.is_whole() && asked::SETTINGS.contains(key))
    };
    let rest: Vec<&str> =
        section.settings.iter().map(|(key, _)| key.as_str()).filter(|key| !has_place(key)).collect();
    gathering.note_settings(shown, rest);
    gathering.add(Found {
        instance: if numprocs == 1 { instance } else { Instance::Alone },
        name,
        command,
        count: if started { numprocs } else { 0 },
        environment,
        directory: section.get("directory").map(directory::plain),
        asked,
    });
}

/// The process type of a program, and whether the program is one of several instances. `app-web-1` is the first `web` if its variable
/// `PS` says so, as in files of `procfile-util export`, or if it has a port and the names of all programs in the group end in a
/// number.
fn instance(program: &str, group: Option<Group<'_>>, environment: &[(String, String)]) -> (String, Instance) {
    let value = |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let of_app = |name: &str| {
        group.and_then(|group| name.strip_prefix(group.name)?.strip_prefix('-').map(str::to_owned))
    };
    if let Some((stem, number)) = program.rsplit_once('-')
        && value("PS") == Some(&format!("{stem}.{number}"))
        && let Some(process_type) = of_app(stem)
    {
        return (process_type, Instance::OneOf);
    }
    let certain = group.is_some_and(|group| group.numbered) && value("PORT").is_some();
    let name = if certain { of_app(program) } else { None }.unwrap_or_else(|| program.to_owned());
    let instance = Instance::of_name(&name, certain);
    (name, instance)
}

/// Whether a command is meant for a shell. foreman copies the command of a Procfile as it is, although supervisord runs no shell, so a
/// command that only a shell understands is taken for a script.
fn raw_command(text: &str, words: &[Word], group: Option<Group<'_>>, instance: &Instance) -> Option<Command> {
    let of_foreman = matches!(instance, Instance::Numbered { certain: true, .. }) && group.is_some();
    let for_a_shell =
        text.contains(['$', '|', '&', ';', '<', '>', '`', '~', '*']) && !text.contains(['%', '\n']);
    let has_shell = words.get(1).and_then(words::literal) == Some("-c");
    (of_foreman && for_a_shell && !has_shell).then(|| Command::Script(text.to_owned()))
}

/// The variables of `A="1",B=2`. supervisord knows no escapes inside of quotes and refuses `A="say\ \"x\"",B="2"`. foreman writes such
/// values nevertheless, because it quotes a value as a word of a shell: there `A` is `say "x"`.
///
/// Second are those of which only the shell of each instance knows the value, as words for `env`.
fn environment(gathering: &mut Gathering, filling: &Filling<'_>) -> (Vec<(String, String)>, Vec<Word>) {
    let section = filling.section;
    let (mut variables, mut own) = (Vec::new(), Vec::new());
    let mut rest = section.get("environment").unwrap_or_default();
    loop {
        rest = rest.trim_start_matches([',', ' ', '\t', '\n']);
        let Some((name, behind)) = rest.split_once('=') else { break };
        let (name, behind) = (name.trim(), behind.trim_start());
        let quote = behind.chars().next().filter(|first| matches!(first, '"' | '\''));
        let (value, after) = if let Some(quote) = quote {
            closed(&behind[1..], quote)
        } else {
            let end = behind.find([',', '\n']).unwrap_or(behind.len());
            (behind[..end].trim_end(), &behind[end..])
        };
        rest = after;
        let is_of_a_shell = quote.is_some_and(|quote| value.contains(quote));
        let value = if is_of_a_shell { unescaped(value) } else { value.to_owned() };
        let atoms = filling.fill(&value).ok();
        match (atoms.as_deref().and_then(words::text), atoms) {
            (Some(value), _) => variables.push((name.to_owned(), value)),
            (None, Some(atoms)) if filling.here.is_some() => {
                let before = words::plain(&format!("{name}="));
                own.push(words::whole([before, atoms].concat()));
            }
            (None, _) => gathering
                .note(section.name, format_args!("variable {name} is left out: supervisord fills it in")),
        }
    }
    if !rest.is_empty() {
        gathering.note(section.name, "the end of its environment has no variable");
    }
    (variables, own)
}

/// The text before the closing quote and the text behind it; all of the text if no quote closes. A quote behind a backslash closes only
/// if the end or the next variable follows.
fn closed(text: &str, quote: char) -> (&str, &str) {
    let ends_here = |after: &str| {
        let next = after.trim_start().strip_prefix(',').unwrap_or(after).trim();
        let name = next.split('=').next().unwrap_or_default();
        next.is_empty() || (name.len() < next.len() && !name.contains(['\\', '"', '\'', ' ', ',']))
    };
    let closes = |at: &usize| !text[..*at].ends_with('\\') || ends_here(&text[at + 1..]);
    let end = text.match_indices(quote).map(|(at, _)| at).find(closes);
    end.map_or((text, ""), |at| (&text[..at], &text[at + 1..]))
}

fn unescaped(text: &str) -> String {
    let mut chars = text.chars();
    let mut plain = String::new();
    while let Some(c) = chars.next() {
        plain.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_on_only_where_it_is_indented_further_than_its_key() {
        let text = "  [program:web]\n  command = a\n    b\n\n    c\n  numprocs = 2\n";
        let sections = sections(text).expect("a configuration");
        assert_eq!((sections[0].get("command"), sections[0].get("numprocs")), (Some("a\nb\nc"), Some("2")));
    }
}
