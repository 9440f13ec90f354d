//! Readers of the formats that are exported to. They share no code with the exporters: a real parser of YAML, of
//! property lists and of shell words, and for systemd, supervisord, Upstart and envdir what their manuals say. Each gives
//! the words of a file in order, keys included; a file that cannot be read is a panic that says why.

use procfile_exchange::export::{Format, Output};
use yaml_rust2::{Yaml, YamlLoader};

/// All words of an export: each file's path, then what is in it. Where supervisord's script begins with a prestart
/// command, that one's words are given.
pub fn words(format: Format, outputs: &[Output], has_prestart: bool) -> Vec<String> {
    let mut words = Vec::new();
    for output in outputs {
        words.push(format!("{} {:o}", output.path, output.mode));
        let Some(contents) = &output.contents else { continue };
        if output.path.contains("/env/") {
            words.push(envdir(contents));
            continue;
        }
        let text = std::str::from_utf8(contents).expect("an exporter writes UTF-8");
        match format {
            Format::Systemd | Format::SystemdUser | Format::Quadlet => unit(text, &mut words),
            Format::Launchd => property_list(text, &mut words),
            Format::Sysv | Format::Runit | Format::S6 => words.extend(shell(text)),
            Format::OpenRc => open_rc(text, &mut words),
            Format::Upstart => upstart(text, &mut words),
            Format::Supervisord => supervisord(text, has_prestart, &mut words),
            Format::Compose | Format::Kubernetes => yaml(format, text, &mut words),
        }
    }
    words
}

/// What chpst and s6-envdir read: the first line without blanks at its end, with LF for NUL.
fn envdir(contents: &[u8]) -> String {
    let line = contents.split(|byte| *byte == b'\n').next().unwrap_or_default();
    assert!(!contents.is_empty(), "an empty file would unset the variable");
    let line = std::str::from_utf8(line).expect("an exporter writes UTF-8");
    line.trim_end_matches([' ', '\t']).replace('\0', "\n")
}

/// The words of a POSIX shell's script. Comments are no words, so their lines are counted.
fn shell(text: &str) -> Vec<String> {
    assert!(!text.contains(['\0']), "a shell's script holds no NUL");
    let mut words = shlex::split(text).expect("a script whose quotes are closed");
    words.push(format!(
        "{} lines of the header",
        text.lines().take_while(|line| line.starts_with('#')).count()
    ));
    words
}

/// OpenRC evaluates `command_args` once more.
fn open_rc(text: &str, words: &mut Vec<String>) {
    for word in shell(text) {
        match word.strip_prefix("command_args=") {
            Some(arguments) => {
                words.extend(shlex::split(arguments).expect("arguments whose quotes are closed"));
            }
            None => words.push(word),
        }
    }
}

/// A unit as systemd.syntax(7) has it: sections and assignments, a line each. LF, CR and NUL all end a line.
fn unit(text: &str, words: &mut Vec<String>) {
    for line in text.split(['\n', '\r', '\0']).filter(|line| !line.is_empty()) {
        assert!(!line.ends_with('\\'), "a line that goes on: {line:?}");
        assert!(!line.starts_with(['#', ';', ' ', '\t']), "a comment or blank in front: {line:?}");
        let Some((key, value)) = line.split_once('=') else {
            assert!(line.starts_with('[') && line.ends_with(']'), "no assignment: {line:?}");
            words.push(line.to_owned());
            continue;
        };
        words.push(key.to_owned());
        match key {
            "ExecStart" | "ExecStartPre" | "Exec" | "PodmanArgs" => words.extend(systemd_words(value, true)),
            "Environment" => words.extend(systemd_words(value, line_is_of_quadlet(text))),
            "SyslogIdentifier" => words.push(value.to_owned()),
            _ => words.push(without_percent(value.trim_matches([' ', '\t']))),
        }
    }
}

/// Quadlet hands its variables to a command line.
fn line_is_of_quadlet(text: &str) -> bool {
    text.contains("\n[Container]\n")
}

/// `%%` is `%`; any other `%` would begin a specifier.
fn without_percent(value: &str) -> String {
    assert!(!value.replace("%%", "").contains('%'), "a specifier in {value:?}");
    value.replace("%%", "%")
}

/// Words as systemd.syntax(7) and systemd.service(5) describe them: quotes, C escapes, `%%`, and `$$` in commands.
pub fn systemd_words(text: &str, in_command: bool) -> Vec<String> {
    let (mut words, mut word, mut started, mut quote) = (Vec::new(), String::new(), false, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => word.push('\n'),
                Some('r') => word.push('\r'),
                Some('t') => word.push('\t'),
                Some(other @ ('\\' | '"' | '\'')) => word.push(other),
                other => panic!("no escape of systemd: {other:?}"),
            },
            '%' => {
                assert_eq!(chars.next(), Some('%'), "a specifier in {text:?}");
                word.push('%');
            }
            '$' if in_command => {
                assert_eq!(chars.next(), Some('$'), "a variable in {text:?}");
                word.push('$');
            }
            ' ' | '\t' if quote.is_none() => {
                if started {
                    words.push(std::mem::take(&mut word));
                }
                started = false;
                continue;
            }
            c if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(c),
            c => word.push(c),
        }
        started = true;
    }
    assert_eq!(quote, None, "an open quote in {text:?}");
    if started {
        words.push(word);
    }
    words
}

fn property_list(text: &str, words: &mut Vec<String>) {
    let value = plist::Value::from_reader_xml(text.as_bytes()).expect("a property list");
    property(&value, words);
}

fn property(value: &plist::Value, words: &mut Vec<String>) {
    match value {
        plist::Value::Dictionary(entries) => {
            for (key, value) in entries {
                words.push(key.clone());
                property(value, words);
            }
        }
        plist::Value::Array(values) => {
            words.push(format!("{} values", values.len()));
            for value in values {
                property(value, words);
            }
        }
        plist::Value::String(text) => words.push(text.clone()),
        other => words.push(format!("{other:?}")),
    }
}

fn yaml(format: Format, text: &str, words: &mut Vec<String>) {
    let documents = YamlLoader::load_from_str(text).expect("a document of YAML");
    assert_eq!(documents.len(), 1, "{text}");
    // Compose expands every text; Kubernetes, arguments and variables.
    node(&documents[0], format == Format::Compose, words);
}

fn node(node_: &Yaml, expanded: bool, words: &mut Vec<String>) {
    match node_ {
        Yaml::Hash(entries) => {
            for (key, value) in entries {
                let key = key.as_str().expect("a key is a text");
                words.push(key.to_owned());
                node(value, expanded || matches!(key, "args" | "env"), words);
            }
        }
        Yaml::Array(values) => {
            words.push(format!("{} values", values.len()));
            for value in values {
                node(value, expanded, words);
            }
        }
        Yaml::String(text) if expanded => words.push(without_dollar(text)),
        Yaml::String(text) => words.push(text.clone()),
        other => words.push(format!("{other:?}")),
    }
}

/// `$$` is `$`; any other `$` would begin a variable.
fn without_dollar(value: &str) -> String {
    assert!(!value.replace("$$", "").contains('$'), "a variable in {value:?}");
    value.replace("$$", "$")
}

/// Upstart's stanzas, a line each, and its script blocks, which end where a line says so.
fn upstart(text: &str, words: &mut Vec<String>) {
    assert!(!text.contains('\r'), "a line end within a line");
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        assert!(!line.ends_with('\\'), "a stanza that goes on: {line:?}");
        if !line.ends_with("script") || line.starts_with("end") {
            let description = line.strip_prefix("description \"");
            words.extend(match description {
                Some(_) => vec![line.split_inclusive('"').count().to_string(), "quotes".to_owned()],
                None => shlex::split(line).expect("a stanza whose quotes are closed"),
            });
            continue;
        }
        words.push(line.to_owned());
        let block: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "end script").collect();
        upstart_script(&block, words);
    }
}

/// A command that needs no quotes stands bare, any other is a shell's; both are given as the same words.
fn upstart_script(block: &[&str], words: &mut Vec<String>) {
    for line in block {
        let command = line.strip_prefix("  exec ").and_then(|rest| rest.strip_suffix(" \\"));
        match command {
            None => words.extend(shlex::split(line.trim_end_matches('\\')).expect("closed quotes")),
            Some(command) if command.starts_with("/bin/sh -c ") => {
                let shell = shlex::split(command).expect("closed quotes");
                assert_eq!(shell.len(), 3, "{command:?}");
                words.push(shell[2].strip_prefix("exec ").unwrap_or(&shell[2]).to_owned());
            }
            Some(command) => {
                let blanks: Vec<_> = command.split_ascii_whitespace().map(str::to_owned).collect();
                assert_eq!(shlex::split(command), Some(blanks), "a bare command that needs quotes");
                assert!(!command.ends_with('\\'), "a backslash takes the blank behind it: {command:?}");
                words.push(command.to_owned());
            }
        }
    }
}

/// Python's configparser with inline comments, then its shlex for commands; variables are stripped of their quotes.
fn supervisord(text: &str, has_prestart: bool, words: &mut Vec<String>) {
    for line in text.split(['\n', '\r']).filter(|line| !line.is_empty()) {
        let blank_before = |at: &usize| line[..*at].chars().next_back().is_none_or(char::is_whitespace);
        let comment = line.match_indices([';', '#']).map(|(at, _)| at).find(blank_before);
        assert_eq!(comment, None, "a comment in {line:?}");
        assert!(!line.starts_with(char::is_whitespace), "a line that goes on: {line:?}");
        let Some((key, value)) = line.split_once('=') else {
            assert!(line.starts_with('[') && line.ends_with(']'), "no assignment: {line:?}");
            words.push(line.to_owned());
            continue;
        };
        words.push(key.to_owned());
        let value = without_percent(value.trim());
        match key {
            "command" => supervisord_command(&value, has_prestart, words),
            "environment" => supervisord_variables(&value, words),
            _ => words.push(value),
        }
    }
}

/// Where there is a prestart command, it is the first word of a longer script.
fn supervisord_command(value: &str, has_prestart: bool, words: &mut Vec<String>) {
    let mut command = shlex::split(value).expect("a command whose quotes are closed");
    assert_eq!(command.len(), 3, "{value:?}");
    let script = command.pop().unwrap_or_default();
    words.extend(command);
    if !has_prestart {
        words.push(script);
        return;
    }
    let rest = script.strip_prefix("/bin/sh -c ").expect("a prestart command");
    let end = shell_word_end(rest);
    words.extend(shlex::split(&rest[..end]).expect("a prestart command whose quotes are closed"));
    words.push(rest[end..].to_owned());
}

/// Where the first word of a script ends.
fn shell_word_end(text: &str) -> usize {
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (None, ' ') => return at,
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            _ => {}
        }
    }
    text.len()
}

/// `NAME="value",NAME='value'`, as supervisord's reader takes it: no escapes, quotes cut at both ends.
fn supervisord_variables(mut text: &str, words: &mut Vec<String>) {
    while !text.is_empty() {
        let (name, rest) = text.split_once('=').expect("a name and a value");
        let quote = rest.chars().next().expect("a quote");
        assert!(matches!(quote, '"' | '\''), "{rest:?}");
        let (value, rest) = rest[1..].split_once(quote).expect("a quote that is closed");
        assert!(rest.is_empty() || rest.starts_with(','), "{rest:?}");
        words.push(format!("{name}={}", value.trim_matches(['"', '\''])));
        text = rest.strip_prefix(',').unwrap_or_default();
    }
}
