//! Properties that hold for every input: nothing panics, and edits undo each other.

use procfile::{EnvFile, ParseOptions, Placement, Procfile, Style, Variables};
use proptest::prelude::*;

use crate::targets;

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-]{1,20}"
}

fn command() -> impl Strategy<Value = String> {
    "[!-~é ]{1,40}".prop_map(|text| text.trim().to_owned()).prop_filter("a command", |text| !text.is_empty())
}

/// A text similar to a Procfile; some of these texts are illegal.
fn document() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        6 => (name(), "[ \t]{0,2}", "[ \t]{0,3}", command(), "( +# [a-z]{0,5}| // x|)")
            .prop_map(|(name, before, after, command, comment)| format!("{name}{before}:{after}{command}{comment}")),
        1 => Just(String::new()),
        1 => "[ \t]{0,3}",
        1 => "# ?[a-z:]{0,8}",
        1 => "//[a-z: ]{0,8}",
    ];
    let end = prop_oneof![4 => Just("\n"), 1 => Just("\r\n")];
    let lines = proptest::collection::vec((line, end), 1..12);
    let whole = (prop::bool::weighted(0.1), lines, "(\n|\r|web2: x| |)");
    whole.prop_map(|(bom, lines, last)| {
        let bom = if bom { "\u{feff}" } else { "" };
        let body: String = lines.into_iter().map(|(line, end)| line + end).collect();
        format!("{bom}{body}{last}").into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn set_then_delete_restores_every_byte(text in document(), name in name(), command in command(), in_order: bool) {
        let Ok(file) = Procfile::parse(&text) else { return Ok(()) };
        prop_assert_eq!(file.as_bytes(), &text);
        prop_assume!(file.get(&name).is_none());
        let placement = if in_order { Placement::InOrder } else { Placement::Append };
        let Ok(longer) = file.set(&name, command.as_bytes(), placement) else { return Ok(()) };
        let longer = Procfile::parse(&longer).expect("what was set can be read");
        prop_assert_eq!(longer.get(&name).map(|entry| entry.command), Some(command.as_bytes()));
        prop_assert_eq!(longer.entries().len(), file.entries().len() + 1);
        let restored = longer.delete(&name);
        let added = restored.strip_prefix(text.as_slice());
        // If the last line has no line end, it needs one before a line can be appended.
        let ends: &[&[u8]] = if text.ends_with(b"\n") { &[b""] } else { &[b"", b"\n", b"\r\n"] };
        let shown = (String::from_utf8_lossy(&text), String::from_utf8_lossy(&restored));
        prop_assert!(added.is_some_and(|added| ends.contains(&added)), "{:?}", shown);
    }

    #[test]
    fn a_deleted_line_takes_its_own_bytes_and_no_others(text in document()) {
        let Ok(file) = Procfile::parse(&text) else { return Ok(()) };
        for entry in file.entries() {
            let wanted = targets::without_line(&text, entry.line);
            prop_assert_eq!(file.delete(entry.name), wanted);
        }
    }

    #[test]
    fn a_new_line_goes_behind_bytes_that_all_stay(text in document(), name in name(), command in command()) {
        let Ok(file) = Procfile::parse(&text) else { return Ok(()) };
        prop_assume!(file.get(&name).is_none());
        let Ok(longer) = file.set(&name, command.as_bytes(), Placement::Append) else { return Ok(()) };
        let line = format!("{name}: {command}").into_bytes();
        let added = longer.strip_prefix(text.as_slice()).expect("what was there stays");
        let line_end = |end: &[u8]| matches!(end, b"\n" | b"\r\n");
        let meant = if text.ends_with(b"\n") { added.strip_prefix(line.as_slice()) } else { added.strip_suffix(line.as_slice()) };
        prop_assert!(meant.is_some_and(line_end), "{:?}", String::from_utf8_lossy(&longer));
    }

    #[test]
    fn a_changed_command_can_be_changed_back(text in document(), command in command()) {
        let Ok(file) = Procfile::parse(&text) else { return Ok(()) };
        let entry = file.entries().next().expect("a Procfile has an entry");
        // Of two comments after a command only the last is cut, so the rest of that line cannot be written as a command.
        let holds_comment = [&b" #"[..], b"\t#", b" //", b"\t//"]
            .iter()
            .any(|mark| entry.command.windows(mark.len()).any(|window| window == *mark));
        if holds_comment {
            return Ok(());
        }
        let Ok(changed) = file.set(entry.name, command.as_bytes(), Placement::Append) else { return Ok(()) };
        let changed = Procfile::parse(&changed).expect("what was set can be read");
        for (was, is) in file.entries().zip(changed.entries()) {
            prop_assert_eq!(was.name, is.name);
            prop_assert!(was.name == entry.name || was.command == is.command);
        }
        let back = changed.set(entry.name, entry.command, Placement::Append).expect("it was legal before");
        prop_assert_eq!(back, text);
    }

    #[test]
    fn the_canonical_form_has_the_same_entries(text in document()) {
        let Ok(file) = Procfile::parse(&text) else { return Ok(()) };
        // The canonical form cannot hold a command that still contains a comment: it would lose that comment too.
        prop_assume!(file.entries().all(|entry| !String::from_utf8_lossy(entry.command).contains([' ', '\t'])));
        let canonical = Procfile::parse(&file.canonical()).expect("the canonical form is legal");
        let entries = |file: &Procfile| file.sorted().map(|e| (e.name.to_owned(), e.command.to_vec())).collect::<Vec<_>>();
        prop_assert_eq!(entries(&file), entries(&canonical));
    }

    #[test]
    fn a_tidy_file_has_the_same_entries_and_stays_as_it_is(text in document()) {
        let Ok(file) = Procfile::parse(&text) else { return Ok(()) };
        let tidy = Procfile::parse(&file.tidy()).expect("a tidy file is legal");
        for (was, is) in file.entries().zip(tidy.entries()) {
            prop_assert_eq!((was.name, was.command), (is.name, is.command));
        }
        prop_assert_eq!(tidy.entries().len(), file.entries().len());
        let (once, twice) = (String::from_utf8_lossy(tidy.as_bytes()).into_owned(), tidy.tidy());
        prop_assert_eq!(&once, &String::from_utf8_lossy(&twice));
        let comments = |text: &str| text.lines().filter(|line| line.trim().starts_with('#')).count();
        prop_assert_eq!(comments(&String::from_utf8_lossy(&text).replace('\u{feff}', "")), comments(&once));
    }

    #[test]
    fn no_bytes_make_anything_panic(bytes: Vec<u8>, delimiter in "[:=a-]{1,2}|\\|", strict: bool) {
        let options = ParseOptions { delimiter: procfile::Delimiter::new(delimiter).expect("not empty"), strict };
        match Procfile::parse_with(bytes.clone(), &options) {
            Ok(file) => drop(file.warnings()),
            Err(error) => error.problems().iter().for_each(|problem| drop(problem.advice(&options))),
        }
        let _ = EnvFile::parse(&bytes);
        let variables = Variables::new("web", 5000);
        let plain = procfile::expand(&bytes, &variables);
        prop_assert_eq!(&procfile::expand_in_style(&bytes, &variables, Style::default()).command, &plain);
        let style = Style { shell_defaults: true, keep_unknown: true };
        let _ = procfile::expand_in_style(&bytes, &variables, style);
    }

    #[test]
    fn single_quoted_values_of_an_env_file_are_kept(values in proptest::collection::vec("[^'\\\\\u{0}\r]{0,20}", 1..6)) {
        let file = EnvFile::parse(env_text(&values).as_bytes()).expect("legal");
        let read: Vec<_> = file.iter().map(|(_, value)| value).collect();
        prop_assert_eq!(read, values);
    }
}

fn env_text(values: &[String]) -> String {
    let line = |(n, value): (usize, &String)| format!("K{n}='{value}'\n");
    values.iter().enumerate().map(line).collect::<Vec<_>>().concat()
}
