//! The targets of the parser, the editor, the expansion and the env file: what holds for any bytes.

use procfile::{
    Delimiter, EnvFile, Grammar, ParseError, ParseOptions, Placement, Procfile, Reading, Style, Variables,
    expand, expand_in_style, is_simple_command,
};

use super::grammar;

/// Any bytes: a Procfile or a list of problems, and what was accepted keeps every byte.
pub fn parser(data: &[u8]) {
    let Some((first, text)) = data.split_first() else { return };
    let delimiter: &[u8] = [&b":"[..], b"=", b"-", b" ", b"=>", b"ab", b"\\t", b"::"][usize::from(first & 7)];
    let delimiter = Delimiter::new(delimiter).expect("not empty");
    let options = ParseOptions { delimiter, strict: first & 8 != 0 };
    let read = Procfile::parse_with(text.to_vec(), &options);
    if let Some(text) = std::str::from_utf8(text).ok().filter(|text| !text.contains('\0')) {
        as_the_grammar_has_it(&read, text, &options);
    }
    match read {
        Ok(file) => accepted(&file, text, &options),
        Err(error) => {
            assert!(!error.problems().is_empty());
            assert!(error.problems().is_sorted_by_key(|problem| problem.line));
            for problem in error.problems() {
                let _ = (problem.to_string(), problem.advice(&options));
            }
        }
    }
}

/// The same entries as by the grammar written out, or a problem first on the same line.
fn as_the_grammar_has_it(read: &Result<Procfile, ParseError>, text: &str, options: &ParseOptions) {
    let delimiter = std::str::from_utf8(options.delimiter.as_bytes()).expect("a delimiter of this target");
    match (read, grammar::read(text, delimiter, options.strict)) {
        (Ok(file), Ok(entries)) => {
            let read = file.entries().map(|entry| (entry.name, entry.command));
            assert!(
                read.eq(entries.iter().map(|(name, command)| (name.as_str(), command.as_bytes()))),
                "{entries:?}"
            );
        }
        (Err(error), Err(line)) => {
            assert!(line.is_none_or(|line| error.problems()[0].line == line), "line {line:?}");
        }
        (read, meant) => panic!("{read:?} should be {meant:?}"),
    }
}

fn accepted(file: &Procfile, text: &[u8], options: &ParseOptions) {
    assert_eq!(file.as_bytes(), text);
    let sorted: Vec<_> = file.sorted().map(|entry| entry.name).collect();
    assert!(!sorted.is_empty() && sorted.is_sorted_by(|a, b| a < b));
    for entry in file.entries() {
        assert!(!entry.command.is_empty() && !entry.name.is_empty());
        assert_eq!(file.get(entry.name), Some(entry));
        assert_eq!(entry.process_type().as_str(), entry.name);
    }
    let _ = file.warnings();
    let tidy = Procfile::parse_with(file.tidy(), options).expect("a tidy file is legal");
    assert_eq!(tidy.tidy(), tidy.as_bytes());
}

/// Any Procfile, any edit: what was set is read back, and delete takes the bytes of one line and nothing else.
pub fn editor(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let (Some(name), Some(command), Some(text)) = (parts.next(), parts.next(), parts.next()) else { return };
    let (Ok(name), Ok(file)) = (std::str::from_utf8(name), Procfile::parse(text)) else { return };
    let placement = if command.len() & 1 == 0 { Placement::Append } else { Placement::InOrder };
    let before = file.get(name);
    if let Ok(longer) = file.set(name, command, placement) {
        let longer = Procfile::parse(&longer).expect("what was set can be read");
        assert_eq!(longer.get(name).expect("it was set").command, command);
        let others = |file: &Procfile| -> Vec<_> {
            let kept = file.entries().filter(|entry| entry.name != name);
            kept.map(|entry| (entry.name.to_owned(), entry.command.to_vec())).collect()
        };
        assert_eq!(others(&file), others(&longer));
        if before.is_none() {
            let restored = longer.delete(name);
            let added = restored.strip_prefix(text).expect("what was there stays");
            // A last line without an end needs one before another can follow.
            assert!(added.is_empty() || !text.ends_with(b"\n") && matches!(added, b"\n" | b"\r\n"));
        }
    }
    let line = before.map_or(0, |entry| entry.line);
    assert_eq!(file.delete(name), without_line(text, line));
}

/// A text without one of its lines, from 1. A byte order mark is no part of the first.
pub fn without_line(text: &[u8], line: usize) -> Vec<u8> {
    let bom = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let lines = text[bom..].split_inclusive(|byte| *byte == b'\n').enumerate();
    let kept = lines.filter(|(at, _)| at + 1 != line).flat_map(|(_, line)| line);
    text[..bom].iter().chain(kept).copied().collect()
}

/// Any command, any variables: Dokku's expansion and ours without a style are one.
pub fn expansion(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (Some(env), Some(command)) = (parts.next(), parts.next()) else { return };
    let env = EnvFile::parse(env).unwrap_or_default();
    let variables = Variables { env_file: Some(&env), ..Variables::new("web", 5000) };
    let plain = expand(command, &variables);
    assert_eq!(expand_in_style(command, &variables, Style::default()).command, plain);
    if !command.contains(&b'$') {
        assert_eq!(plain, command);
    }
    for (shell_defaults, keep_unknown) in [(true, false), (false, true), (true, true)] {
        let _ = expand_in_style(command, &variables, Style { shell_defaults, keep_unknown });
    }
    let _ = is_simple_command(command);
}

/// Any bytes, in both grammars: an env file or an error that does not quote it.
pub fn env_file(data: &[u8]) {
    let known = |name: &[u8]| (name == b"K").then(|| b"known".to_vec());
    for grammar in [Grammar::Own, Grammar::Dokku] {
        match EnvFile::parse_with(data, &Reading { grammar, known: &known }) {
            Ok(file) => {
                assert_eq!(file.len(), file.iter().len());
                for (key, value) in file.iter_bytes() {
                    assert!(!key.is_empty());
                    assert_eq!(file.get_bytes(key), Some(value));
                }
            }
            Err(error) => assert!(error.to_string().len() < 300),
        }
    }
}
