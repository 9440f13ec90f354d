//! A reader of units as systemd.syntax(7) and systemd.service(5) describe them. It shares no code with the import.

use super::process::Process;
use super::sh::{self, is_name};

/// The one service of a unit; `None` if it is not understood.
pub fn read(text: &str) -> Option<Vec<Process>> {
    let (mut section, mut open) = (String::new(), String::new());
    let (mut starts, mut environment) = (Vec::new(), Some(Vec::new()));
    for line in text.split('\n') {
        // Lines that name other units, and ends of lines and blanks of other kinds, are not for this reader.
        let odd = |c: char| c.is_control() && c != '\t' || c.is_whitespace() && !matches!(c, ' ' | '\t');
        if line.starts_with("==> ") || line.starts_with("# /") || line.contains(odd) {
            return None;
        }
        let line = line.trim_start_matches([' ', '\t']);
        if line.starts_with(['#', ';']) || line.is_empty() && open.is_empty() {
            continue;
        }
        let backslashes = line.bytes().rev().take_while(|byte| *byte == b'\\').count();
        if backslashes % 2 == 1 {
            open.push_str(&line[..line.len() - 1]);
            open.push(' ');
            continue;
        }
        if line.ends_with([' ', '\t']) && line.contains('\\') {
            return None;
        }
        let whole = std::mem::take(&mut open) + line;
        let whole = whole.trim_matches([' ', '\t']);
        if let Some(header) = whole.strip_prefix('[') {
            let name = header.strip_suffix(']').filter(|name| !name.contains(['[', ']']))?;
            section = String::from(name);
            continue;
        }
        let (key, value) = whole.split_once('=')?;
        let (key, value) = (key.trim(), value.trim_matches([' ', '\t']));
        match (section.as_str(), key) {
            ("", _) => return None,
            ("Service", "ExecStart") if value.is_empty() => starts.clear(),
            ("Service", "ExecStart") => starts.push(value.to_owned()),
            ("Service", "Environment") if value.is_empty() => environment = Some(Vec::new()),
            ("Service", "Environment") => {
                environment = environment.and_then(|mut all: Vec<_>| {
                    all.extend(unit_environment(value)?);
                    Some(all)
                });
            }
            _ => {}
        }
    }
    // The variable PS says what a unit is called.
    let names_itself = |all: &Vec<(String, Option<String>)>| all.iter().any(|(name, _)| name == "PS");
    if starts.is_empty() || !open.is_empty() || environment.as_ref().is_none_or(names_itself) {
        return None;
    }
    let argv = if let [start] = &starts[..] { unit_command(start) } else { None };
    Some(vec![Process { name: "web".to_owned(), argv, script: None, environment, count: Some(1) }])
}

fn unit_environment(value: &str) -> Option<Vec<(String, Option<String>)>> {
    let words = unit_words(value)?;
    let named = words.iter().filter_map(|word| word.split_once('='));
    Some(named.map(|(name, value)| (name.to_owned(), specified(value))).collect())
}

/// `%%` is `%`; anything else that begins with it is filled in by systemd.
fn specified(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut result = parts.next()?.to_owned();
    while let Some(part) = parts.next() {
        part.is_empty().then_some(())?;
        result.push('%');
        result.push_str(parts.next()?);
    }
    Some(result)
}

fn unit_command(line: &str) -> Option<Vec<String>> {
    // `-` before the program says what its failure means; the other marks are for people who know them.
    let line = line.strip_prefix('-').unwrap_or(line);
    if line.starts_with(['@', '-', ':', '+', '!', '|']) {
        return None;
    }
    let words = unit_words(line)?;
    // Two commands; and a program is never called by a variable.
    if words.iter().any(|word| word == ";") || words.first()?.contains('$') {
        return None;
    }
    words.iter().map(|word| unit_variables(&specified(word)?)).collect()
}

/// `$$`, `${X}` anywhere, `$X` as a word of its own, which may become several.
fn unit_variables(word: &str) -> Option<String> {
    sh::is_unmarked(word).then_some(())?;
    if let Some(name) = word.strip_prefix('$').filter(|name| is_name(name)) {
        return Some(sh::variable(name, false));
    }
    let mut result = String::new();
    let mut chars = word.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c != '$' {
            result.push(c);
            continue;
        }
        let braced = word[at + 1..].strip_prefix('{').and_then(|inside| inside.split_once('}'));
        if let Some((name, _)) = braced.filter(|(name, _)| is_name(name)) {
            result.push_str(&sh::variable(name, true));
            chars.by_ref().take(name.len() + 2).for_each(drop);
        } else {
            result.push('$');
            chars.next_if(|(_, next)| *next == '$');
        }
    }
    Some(result)
}

/// Words with the quotes and the escapes of C that systemd.syntax(7) lists.
fn unit_words(line: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<Vec<u8>>, None);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if quote.is_none() && matches!(c, ' ' | '\t') {
            words.extend(word.take());
            continue;
        }
        let word = word.get_or_insert_default();
        match c {
            '\\' => escape(&mut chars, word)?,
            c if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(c),
            c => word.extend(c.to_string().as_bytes()),
        }
    }
    words.extend(word);
    quote.is_none().then_some(())?;
    words.into_iter().map(|word| String::from_utf8(word).ok()).collect()
}

fn escape(chars: &mut std::str::Chars<'_>, word: &mut Vec<u8>) -> Option<()> {
    let c = chars.next()?;
    let plain = "abfnrtvs\\\"'".find(c).map(|at| b"\x07\x08\x0c\n\r\t\x0b \\\"'"[at]);
    if let Some(byte) = plain {
        word.push(byte);
        return Some(());
    }
    let (base, digits) = match c {
        'x' => (16, 2),
        'u' => (16, 4),
        'U' => (16, 8),
        '0'..='7' => (8, 3),
        _ => return None,
    };
    let mut number = String::new();
    if base == 8 {
        number.push(c);
    }
    number.extend(chars.by_ref().take(digits - number.len()));
    let full = number.chars().count() == digits && number.chars().all(|c| c.is_digit(base));
    let value = u32::from_str_radix(&number, base).ok().filter(|value| full && *value != 0)?;
    if digits < 4 {
        word.push(u8::try_from(value).ok()?);
    } else {
        word.extend(char::from_u32(value)?.to_string().as_bytes());
    }
    Some(())
}
