//! What holds for every input: nothing panics, edits undo each other, and what an exporter writes reads back as what
//! was meant, through parsers that are not ours or share no code with the exporters.

use procfile::export::{AbsolutePath, Format, Job, Name, Output, Settings};
use procfile::{EnvFile, ParseOptions, Placement, Procfile, Style, Variables};
use proptest::prelude::*;

fn name() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-]{1,20}"
}

fn command() -> impl Strategy<Value = String> {
    "[!-~é ]{1,40}".prop_map(|text| text.trim().to_owned()).prop_filter("a command", |text| !text.is_empty())
}

/// Something like a Procfile; some are illegal.
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
        prop_assert_eq!(String::from_utf8_lossy(&restored), String::from_utf8_lossy(&text));
    }

    #[test]
    fn a_changed_command_can_be_changed_back(text in document(), command in command()) {
        let Ok(file) = Procfile::parse(&text) else { return Ok(()) };
        let entry = file.entries().next().expect("a Procfile has an entry");
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
        // The original's form cannot hold a command that still has a comment in it: it would lose that, too.
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

    #[test]
    fn every_exporter_says_what_was_meant(
        command in command(),
        values in proptest::collection::vec("[ -~é\n\t]{0,20}", 0..4),
        prestart in proptest::option::of("[ -~]{1,20}"),
    ) {
        let text = format!("web: {command}\n");
        let Ok(file) = Procfile::parse(text.as_bytes()) else { return Ok(()) };
        let command = String::from_utf8_lossy(file.get("web").expect("it is there").command).into_owned();
        let values: Vec<String> = values.iter().map(|value| quoteless(value)).collect();
        let env = EnvFile::parse(env_text(&values).as_bytes()).expect("legal");
        let wanted: Vec<(String, String)> = env.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let job = job(&file, &env, prestart.as_deref());
        for format in [Format::Systemd, Format::SystemdUser] {
            let unit = text_of(&format.render(&job).expect("systemd takes any text")[0]);
            systemd_says(&unit, &command, &wanted, prestart.as_deref())?;
        }
        plist_says(&text_of(&Format::Launchd.render(&job).expect("launchd takes any text")[0]), &command, &wanted)?;
        sysv_says(&text_of(&Format::Sysv.render(&job).expect("a shell takes any text")[0]), &command, &wanted)?;
        if let Ok(outputs) = Format::Runit.render(&job) {
            runit_says(&outputs, &command, &wanted)?;
        }
        if let Ok(outputs) = Format::OpenRc.render(&job) {
            openrc_says(&text_of(&outputs[0]), &command, &wanted)?;
        }
        if let Ok(outputs) = Format::Supervisord.render(&job) {
            supervisord_says(&text_of(&outputs[0]), &command, &wanted)?;
        }
        yaml_says(&text_of(&Format::Compose.render(&job).expect("Compose takes any text")[0]), "command:", &command)?;
        yaml_says(&text_of(&Format::Kubernetes.render(&job).expect("a label")[0]), "args:", &command)?;
        quadlet_says(&text_of(&Format::Quadlet.render(&job).expect("Podman takes any text")[0]), &command, &wanted)?;
        if let Ok(outputs) = Format::Upstart.render(&job) {
            upstart_says(&text_of(&outputs[1]), &wanted)?;
        }
    }
}

fn env_text(values: &[String]) -> String {
    let line = |(n, value): (usize, &String)| format!("K{n}='{value}'\n");
    values.iter().enumerate().map(line).collect::<Vec<_>>().concat()
}

/// What an env file can hold in single quotes.
fn quoteless(value: &str) -> String {
    value.replace(['\'', '\\'], "_")
}

fn job(file: &Procfile, env: &EnvFile, prestart: Option<&str>) -> Job {
    let plain = |name| Name::new("app", name).expect("a plain name");
    let path = |path: &str| AbsolutePath::new("path", path.as_bytes()).expect("a plain path");
    let text = |text: &str| procfile::export::Text::new("text", text.as_bytes()).expect("plain text");
    let settings = Settings {
        app: plain("app"),
        user: plain("user"),
        group: plain("group"),
        description: None,
        image: text("image"),
        home: path("/home/me"),
        log_path: path("/var/log"),
        run_path: path("/run/app"),
        working_directory: path("/srv/app"),
        limits: Vec::new(),
        nice: None,
        prestart: prestart.map(text),
        timeout: 5,
    };
    Job::new(settings, file, env, 5000, |_| 1).expect("a legal job")
}

fn text_of(output: &Output) -> String {
    String::from_utf8(output.contents.clone().expect("a file")).expect("text")
}

/// The command that a shell's script runs, without the `exec` that an exporter may add.
fn without_exec<'a>(script: &'a str, command: &str) -> &'a str {
    if script == command { script } else { script.strip_prefix("exec ").unwrap_or(script) }
}

fn systemd_says(
    unit: &str,
    command: &str,
    env: &[(String, String)],
    prestart: Option<&str>,
) -> Result<(), TestCaseError> {
    let mut exec = Vec::new();
    let mut pre = Vec::new();
    let mut read = Vec::new();
    for line in unit.lines() {
        let legal = line.is_empty() || line.starts_with('[') || line.contains('=');
        prop_assert!(legal && !line.ends_with('\\'), "{line:?}");
        match line.split_once('=') {
            Some(("ExecStart", value)) => exec = systemd_words(value, true),
            Some(("ExecStartPre", value)) => pre = systemd_words(value, true),
            Some(("Environment", value)) => read.extend(systemd_words(value, false)),
            _ => {}
        }
    }
    prop_assert_eq!(exec.len(), 3, "{}", unit);
    prop_assert_eq!(without_exec(&exec[2], command), command);
    prop_assert_eq!(pre.get(2).map(String::as_str), prestart);
    let wanted: Vec<String> = env.iter().map(|(key, value)| format!("{key}={value}")).collect();
    prop_assert_eq!(&read[2..], &wanted[..]);
    let keys = ["ExecStart=", "User=", "PartOf=", "KillMode="];
    prop_assert!(keys.iter().all(|key| unit.matches(&format!("\n{key}")).count() <= 1), "{}", unit);
    Ok(())
}

/// Words as systemd.syntax(7) and systemd.service(5) describe them: quotes, C escapes, `%%`, and `$$` in commands.
fn systemd_words(text: &str, in_command: bool) -> Vec<String> {
    let (mut words, mut word, mut started, mut quote) = (Vec::new(), String::new(), false, None);
    let mut chars = text.chars().peekable();
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
            ' ' if quote.is_none() => {
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

fn plist_says(text: &str, command: &str, env: &[(String, String)]) -> Result<(), TestCaseError> {
    let value = plist::Value::from_reader_xml(text.as_bytes()).expect("a property list");
    let dictionary = value.as_dictionary().expect("a dictionary");
    let arguments = dictionary["ProgramArguments"].as_array().expect("an array");
    prop_assert_eq!(arguments.len(), 3);
    prop_assert_eq!(without_exec(arguments[2].as_string().expect("text"), command), command);
    let variables = dictionary["EnvironmentVariables"].as_dictionary().expect("a dictionary");
    prop_assert_eq!(variables.len(), env.len() + 2);
    for (key, value) in env {
        prop_assert_eq!(variables[key].as_string(), Some(value.as_str()));
    }
    Ok(())
}

fn sysv_says(script: &str, command: &str, env: &[(String, String)]) -> Result<(), TestCaseError> {
    let words = shlex::split(script).expect("a script whose quotes are closed");
    let value = |name: &str| {
        let start = format!("{name}=");
        words.iter().find_map(|word| word.strip_prefix(&start)).map(str::to_owned)
    };
    let run = words.iter().position(|word| word == "run()").expect("a function that runs the command");
    let script = words[run..].iter().position(|word| word == "-c").map(|at| &words[run + at + 1]);
    prop_assert_eq!(script.map(|script| without_exec(script, command)), Some(command));
    for (key, wanted) in env {
        let read = value(key);
        prop_assert_eq!(read.as_ref(), Some(wanted));
    }
    Ok(())
}

fn runit_says(outputs: &[Output], command: &str, env: &[(String, String)]) -> Result<(), TestCaseError> {
    let run = outputs.iter().find(|output| output.path.ends_with("-1/run")).expect("a run script");
    let words = shlex::split(&text_of(run)).expect("a script whose quotes are closed");
    prop_assert_eq!(words.last().map(|script| without_exec(script, command)), Some(command));
    for (key, wanted) in env {
        let path = format!("/env/{key}");
        let file = outputs.iter().find(|output| output.path.ends_with(&path)).expect("a variable");
        let bytes = file.contents.as_deref().expect("a file");
        prop_assert!(!bytes.is_empty(), "an empty file would unset {}", key);
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let read = String::from_utf8_lossy(line).replace('\0', "\n");
        prop_assert_eq!(&read, wanted);
    }
    Ok(())
}

fn upstart_says(conf: &str, env: &[(String, String)]) -> Result<(), TestCaseError> {
    let blocks = conf.matches("\nend script\n").count();
    prop_assert_eq!(
        blocks,
        conf.lines().filter(|line| line.ends_with("script") && *line != "end script").count()
    );
    for (key, wanted) in env {
        let line = conf.lines().find_map(|line| line.strip_prefix(&format!("  export {key}=")));
        let words = shlex::split(line.expect("a variable")).expect("closed quotes");
        let read = words.into_iter().next().unwrap_or_default();
        prop_assert_eq!(&read, wanted);
    }
    Ok(())
}

fn openrc_says(script: &str, command: &str, env: &[(String, String)]) -> Result<(), TestCaseError> {
    let words = shlex::split(script).expect("a script whose quotes are closed");
    let value =
        |name: &str| words.iter().find_map(|word| word.strip_prefix(&format!("{name}=")).map(str::to_owned));
    let arguments = value("command_args").and_then(|text| shlex::split(&text)).unwrap_or_default();
    prop_assert_eq!(arguments.len(), 2);
    prop_assert_eq!(without_exec(&arguments[1], command), command);
    for (key, wanted) in env {
        let read = value(key);
        prop_assert_eq!(read.as_ref(), Some(wanted));
    }
    Ok(())
}

/// Python's configparser with inline comments, then its shlex for commands; variables are stripped of their quotes.
fn supervisord_says(text: &str, command: &str, env: &[(String, String)]) -> Result<(), TestCaseError> {
    let mut environment = String::new();
    for line in text.lines() {
        let blank_before = |at: &usize| line[..*at].ends_with([' ', '\t']);
        let comment = line.match_indices([';', '#']).map(|(at, _)| at).find(blank_before);
        prop_assert_eq!(comment, None, "{}", line);
        if let Some(value) = line.strip_prefix("command=") {
            let words = shlex::split(&value.replace("%%", "%")).expect("closed quotes");
            prop_assert_eq!(words.len(), 3);
            prop_assert!(words[2].ends_with(command), "{:?} does not run {:?}", words, command);
        }
        if let Some(value) = line.strip_prefix("environment=") {
            environment = value.replace("%%", "%");
        }
    }
    for (key, wanted) in env {
        let quoted = |quote: char| environment.contains(&format!("{key}={quote}{wanted}{quote}"));
        prop_assert!(quoted('"') || quoted('\''), "{} lacks {}", environment, wanted);
    }
    Ok(())
}

/// The list item below a key: a JSON string, in which every `$` is doubled.
fn yaml_says(text: &str, key: &str, command: &str) -> Result<(), TestCaseError> {
    let mut lines = text.lines().skip_while(|line| line.trim() != key).skip(1);
    let mut item = lines.next().unwrap_or_default().trim().strip_prefix("- ").unwrap_or_default();
    if key == "command:" && item == "\"/bin/sh\"" {
        item = lines.nth(1).unwrap_or_default();
    }
    let script: String = serde_json::from_str(item).expect("a quoted text");
    prop_assert!(!script.replace("$$", "").contains('$'), "{}", script);
    let script = script.replace("$$", "$");
    prop_assert_eq!(without_exec(&script, command), command);
    Ok(())
}

fn quadlet_says(unit: &str, command: &str, env: &[(String, String)]) -> Result<(), TestCaseError> {
    let words = |key: &str| -> Vec<String> {
        let values = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        values.flat_map(|value| systemd_words(value, true)).collect()
    };
    let exec = words("Exec");
    prop_assert_eq!(exec.len(), 2);
    prop_assert_eq!(without_exec(&exec[1], command), command);
    let wanted: Vec<String> = env.iter().map(|(key, value)| format!("{key}={value}")).collect();
    prop_assert_eq!(&words("Environment")[2..], &wanted[..]);
    Ok(())
}
