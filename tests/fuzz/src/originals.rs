//! Readers of the configurations that are imported. They share no code with the import: JSON (which is YAML, too) by a
//! parser of JSON, supervisord's file as Python's configparser and shlex read it, units by `units`. They answer `None`
//! for a text, or for a part of it, that they do not understand.

use std::collections::BTreeMap;

use procfile_exchange::import::Manager;
use serde_json::Value;

use super::process::Process;
use super::sh::{self, is_name};
use super::units;

/// All processes of a text; `None` if the text is not understood.
pub fn read(manager: Manager, text: &str) -> Option<Vec<Process>> {
    match manager {
        Manager::Compose => compose(&json(text)?),
        Manager::Pm2 => pm2(&json(text)?),
        Manager::ProcessCompose => process_compose(&json(text)?),
        Manager::Supervisord => supervisord(text),
        Manager::Systemd => units::read(text),
    }
}

/// A text of JSON in which no key stands twice, which YAML's readers refuse.
fn json(text: &str) -> Option<Value> {
    let value = serde_json::from_str(text).ok()?;
    yaml_rust2::YamlLoader::load_from_str(text).ok()?;
    Some(value)
}

fn compose(document: &Value) -> Option<Vec<Process>> {
    let services = document.get("services")?.as_object()?;
    let process = |(name, service): (&String, &Value)| {
        service.as_object()?;
        let argv = || {
            let mut argv = compose_words(service.get("entrypoint"))?;
            argv.extend(compose_words(service.get("command"))?);
            Some(argv)
        };
        let replicas = service.get("deploy").and_then(|deploy| deploy.get("replicas"));
        let count = replicas.or_else(|| service.get("scale")).map_or(Some(1), Value::as_u64);
        let environment = compose_environment(service.get("environment"));
        Some(Process { name: name.clone(), argv: argv(), script: None, environment, count })
    };
    services.iter().map(process).collect()
}

/// What the entrypoint of a process is; one that has a command is not understood, for that is a line of a shell.
fn process_compose(document: &Value) -> Option<Vec<Process>> {
    let processes = document.get("processes")?.as_object()?;
    let process = |(name, process): (&String, &Value)| {
        process.as_object()?;
        let argv = compose_words(process.get("entrypoint")).filter(|words| !words.is_empty());
        let is_disabled = process.get("disabled").is_some() || process.get("is_disabled").is_some();
        let count = process.get("replicas").map_or(Some(1), Value::as_u64).filter(|_| !is_disabled);
        let environment = compose_environment(process.get("environment"));
        Some(Process { name: name.clone(), argv, script: None, environment, count })
    };
    processes.iter().map(process).collect()
}

fn compose_words(value: Option<&Value>) -> Option<Vec<String>> {
    match value {
        None | Some(Value::Null) => Some(Vec::new()),
        Some(Value::String(text)) => split(&interpolated(text)?),
        Some(Value::Array(items)) => items.iter().map(|item| interpolated(item.as_str()?)).collect(),
        Some(_) => None,
    }
}

fn compose_environment(value: Option<&Value>) -> Option<Vec<(String, Option<String>)>> {
    let filled = |text: &str| interpolated(text).filter(|text| !sh::has_variable(text));
    match value {
        None => Some(Vec::new()),
        Some(Value::Object(entries)) => {
            let entry = |(name, value): (&String, &Value)| Some((name.clone(), filled(value.as_str()?)));
            entries.iter().map(entry).collect()
        }
        Some(Value::Array(items)) => {
            let item = |item: &Value| {
                let (name, value) = item.as_str()?.split_once('=')?;
                Some((name.to_owned(), filled(value)))
            };
            items.iter().map(item).collect()
        }
        Some(_) => None,
    }
}

/// Compose's own variables: `$$`, `$X`, `${X}`, and `${X:-word}` and its like where the word is plain.
fn interpolated(text: &str) -> Option<String> {
    if !sh::is_unmarked(text) {
        return None;
    }
    let mut parts = text.split('$');
    let mut result = parts.next()?.to_owned();
    while let Some(part) = parts.next() {
        if part.is_empty() {
            // Two dollar signs; what stands behind them is text.
            result.push('$');
            result.push_str(parts.next()?);
        } else if let Some(inside) = part.strip_prefix('{') {
            let (inside, behind) = inside.split_once('}')?;
            let name = inside.split([':', '-', '?', '+']).next()?;
            let operator = &inside[name.len()..];
            let word = operator.strip_prefix(':').unwrap_or(operator).strip_prefix(['-', '?', '+']);
            let plain = word.is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            if !is_name(name) || !operator.is_empty() && !plain {
                return None;
            }
            result.push_str(&sh::variable(inside, true));
            result.push_str(behind);
        } else {
            let end = part.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
            is_name(&part[..end]).then_some(())?;
            result.push_str(&sh::variable(&part[..end], true));
            result.push_str(&part[end..]);
        }
    }
    Some(result)
}

/// Words as Python's shlex splits them; a variable outside quotes is marked as one that may become several words.
fn split(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if quote.is_none() && matches!(c, ' ' | '\t' | '\r' | '\n') {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_default();
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (None, '\\') => word.push(chars.next().filter(|next| *next != '\u{1}')?),
            (Some('"'), '\\') => match chars.next()? {
                next @ ('"' | '\\') => word.push(next),
                // Not every reader takes these as the others do.
                '\u{1}' | '$' | '`' | '\n' => return None,
                next => word.extend(['\\', next]),
            },
            (None, '\u{1}') => word.extend(['\u{1}', '*']),
            // White space of other kinds is a matter of opinion.
            (None, c) if c.is_whitespace() || c.is_control() && !matches!(c, '\u{2}') => return None,
            (_, c) => word.push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

fn pm2(document: &Value) -> Option<Vec<Process>> {
    let apps = document.get("apps").or_else(|| document.get("pm2")).unwrap_or(document);
    let apps: Vec<&Value> = match apps {
        Value::Array(apps) => apps.iter().collect(),
        Value::Object(_) => vec![apps],
        _ => return None,
    };
    apps.into_iter().map(pm2_app).collect()
}

fn pm2_app(app: &Value) -> Option<Process> {
    let fields = app.as_object()?;
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    let name = text("name").filter(|name| !name.is_empty())?.to_owned();
    let script = text("script")?;
    let args = pm2_args(fields.get("args"))?;
    let environment = match fields.get("env") {
        None => Some(Vec::new()),
        Some(Value::Object(env)) => {
            env.iter().map(|(key, value)| Some((key.clone(), Some(value.as_str()?.to_owned())))).collect()
        }
        Some(_) => None,
    };
    let count = fields.get("instances").map_or(Some(1), Value::as_u64).filter(|count| *count > 0);
    let process = Process { name, argv: None, script: None, environment, count };
    if script.contains(char::is_whitespace) {
        let whole =
            args.is_empty() && !script.trim().is_empty() && script.trim().contains(char::is_whitespace);
        return Some(Process { script: whole.then(|| script.to_owned()), ..process });
    }
    // Without an interpreter pm2 goes by the script's name and by the file system.
    let interpreter = text("interpreter").filter(|word| !word.is_empty());
    let before = ["node_args", "interpreter_args", "nodeArgs", "interpreterArgs"].map(|key| fields.get(key));
    let before = before.iter().flatten().next().copied();
    let argv = interpreter.filter(|_| !script.is_empty()).and_then(|interpreter| {
        let mut argv = Vec::new();
        if interpreter != "none" {
            argv.push(interpreter.to_owned());
            argv.extend(pm2_args(before)?);
        }
        argv.push(script.to_owned());
        argv.extend(args);
        Some(argv)
    });
    let argv = argv.filter(|argv: &Vec<String>| argv.iter().all(|word| sh::is_unmarked(word)));
    Some(Process { argv, ..process })
}

fn pm2_args(value: Option<&Value>) -> Option<Vec<String>> {
    match value {
        None => Some(Vec::new()),
        Some(Value::Array(items)) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        Some(Value::String(text)) if !text.trim().starts_with('[') => split(text),
        Some(_) => None,
    }
}

type Sections = Vec<(String, BTreeMap<String, String>)>;

/// Python's configparser, without interpolation and with supervisord's two marks of comments.
fn sections(text: &str) -> Option<Sections> {
    let mut sections = Sections::new();
    // The key whose value may go on, and how far its line was indented.
    let mut open: Option<(String, usize)> = None;
    for raw in text.split('\n') {
        let raw = raw.strip_suffix('\r').unwrap_or(raw);
        // Other ends of lines, and other blanks, are a matter of opinion.
        if raw
            .contains(|c: char| c.is_control() && c != '\t' || c.is_whitespace() && !matches!(c, ' ' | '\t'))
        {
            return None;
        }
        let line = uncommented(raw);
        let indent = raw.len() - raw.trim_start().len();
        if line.is_empty() {
            continue;
        }
        if let (Some((key, first)), Some((_, values))) = (&open, sections.last_mut())
            && indent > *first
        {
            let value = values.get_mut(key)?;
            value.push('\n');
            value.push_str(line);
            continue;
        }
        if let Some(header) = line.strip_prefix('[') {
            let header = header.strip_suffix(']').filter(|header| !header.contains([']', '[']))?;
            open = None;
            let known = sections.iter().any(|(other, _)| other == header);
            (!known).then_some(())?;
            sections.push((header.to_owned(), BTreeMap::new()));
        } else {
            let (key, value) = line.split_once(['=', ':'])?;
            let key = key.trim().to_lowercase();
            (!key.is_empty()).then_some(())?;
            sections.last_mut()?.1.insert(key.clone(), value.trim().to_owned());
            open = Some((key, indent));
        }
    }
    Some(sections)
}

/// A line without its comment and without the blanks around it.
fn uncommented(line: &str) -> &str {
    let line = line.trim();
    let begins = |at: &usize| *at == 0 || line[..*at].ends_with([' ', '\t']);
    let comment = line.match_indices([';', '#']).map(|(at, _)| at).find(begins);
    line[..comment.unwrap_or(line.len())].trim()
}

fn supervisord(text: &str) -> Option<Vec<Process>> {
    let sections = sections(text)?;
    // Variables of all programs, and programs by groups, say more than one section does.
    let says_more = |(name, values): &(String, BTreeMap<String, String>)| {
        name.starts_with("group") || name.trim() == "supervisord" && values.contains_key("environment")
    };
    if sections.iter().any(says_more) {
        return None;
    }
    let programs =
        sections.iter().filter_map(|(name, values)| Some((name.strip_prefix("program:")?, values)));
    Some(programs.map(|(name, values)| program(name.trim(), values)).collect())
}

fn program(name: &str, values: &BTreeMap<String, String>) -> Process {
    let count: Option<u64> = values.get("numprocs").map_or(Some(1), |number| number.parse().ok());
    let off =
        values.get("autostart").is_some_and(|word| ["false", "no", "off", "0"].contains(&word.as_str()));
    let argv = values.get("command").and_then(|command| split(&formatted(command, name)?));
    // A number is no variable, and what is wrong with it leaves the program out.
    let argv = argv.filter(|_| count.is_some());
    let environment = match values.get("environment") {
        None => Some(Vec::new()),
        Some(text) => variables(text, name),
    };
    let count = if off { Some(0) } else { count };
    Process { name: name.to_owned(), argv, script: None, environment, count }
}

/// Python's `%` formatting with what is the same for all processes of a program.
fn formatted(text: &str, program: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut result = parts.next()?.to_owned();
    while let Some(part) = parts.next() {
        if part.is_empty() {
            result.push('%');
            result.push_str(parts.next()?);
            continue;
        }
        let (name, behind) = part.strip_prefix('(')?.split_once(')')?;
        let behind = behind.strip_prefix('s')?;
        match name.strip_prefix("ENV_") {
            Some(name) => result.push_str(&sh::variable(is_name(name).then_some(name)?, true)),
            None => result.push_str((name == "program_name").then_some(program)?),
        }
        result.push_str(behind);
    }
    Some(result)
}

/// `A="1",B='2'`, on one line.
fn variables(mut text: &str, program: &str) -> Option<Vec<(String, Option<String>)>> {
    let mut variables = Vec::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once('=')?;
        let quote = rest.chars().next().filter(|first| matches!(first, '"' | '\''))?;
        let (value, rest) = rest[1..].split_once(quote)?;
        // Quotes at the edge of a value, and lines in it, are a matter of opinion.
        if value.contains(['"', '\'', '\n']) || !is_name(name) {
            return None;
        }
        variables.push((name.to_owned(), formatted(value, program).filter(|value| !sh::has_variable(value))));
        match rest.strip_prefix(',') {
            Some(next) => text = next,
            None => return rest.is_empty().then_some(variables),
        }
    }
    Some(variables)
}
