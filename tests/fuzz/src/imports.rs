//! The targets of the import: whatever is imported is a Procfile that the parser accepts, and its commands, variables
//! and counts are those that an independent reader finds in the same text. Half of the inputs are a text as it is, half
//! are words and values from which one is made: of those it is known beforehand what must come out.

use std::cell::Cell;

use procfile::{EnvFile, Procfile};
use procfile_exchange::import::{Imported, Manager, Surroundings};

use super::made::Made;
use super::originals;
use super::process::Process;
use super::sh;

/// All sources, with their names.
pub const MANAGERS: [(&str, Manager); 5] = [
    ("compose", Manager::Compose),
    ("pm2", Manager::Pm2),
    ("process-compose", Manager::ProcessCompose),
    ("supervisord", Manager::Supervisord),
    ("systemd", Manager::Systemd),
];

thread_local! {
    static SEEN: Cell<[u64; 3]> = const { Cell::new([0; 3]) };
}

/// One manager. Says on stderr, each hundred thousand times, how many texts were imported, and of how many commands it
/// is known that they are right.
pub fn one(manager: Manager, data: &[u8]) {
    let (imported, compared) = check(manager, data);
    let [all, texts, commands] = SEEN.get();
    let seen = [all + 1, texts + u64::from(imported), commands + compared];
    SEEN.set(seen);
    if seen[0].is_multiple_of(100_000) {
        let [all, texts, commands] = seen;
        // A fuzzer's talk; where nobody listens, nothing is lost.
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("{manager:?}: {all} texts, {texts} imported, {commands} commands compared\n"),
        );
    }
}

/// Whether the text is imported, and how many of its commands were compared.
pub fn check(manager: Manager, data: &[u8]) -> (bool, u64) {
    let Some((first, rest)) = data.split_first() else { return (false, 0) };
    let made = (first & 1 == 1).then(|| Made::of(manager, *first, rest));
    let text = made.as_ref().map_or(rest, |made| made.text.as_bytes());
    let read = manager.read("web.service", "", text);
    if let Some(made) = &made {
        let read = read.as_ref().unwrap_or_else(|why| panic!("{why}: {}", made.text));
        compare(read, std::slice::from_ref(&made.process), &made.text);
    }
    let Ok(imported) = read else { return (false, 0) };
    holds(&imported);
    enters_directories(manager, &imported, text);
    let Ok(text) = std::str::from_utf8(text) else { return (true, 0) };
    let originals = originals::read(manager, text).filter(|all| are_plain(all));
    let lines = matches!(manager, Manager::Supervisord | Manager::Systemd) && text.chars().all(is_understood);
    assert!(
        made.is_none() || !lines || originals.is_some(),
        "a text that was made is not understood: {text}"
    );
    (true, compare(&imported, &originals.unwrap_or_default(), text))
}

/// Whether it is no white space that some take for the end of a line, and some for no blank at all.
fn is_understood(c: char) -> bool {
    c.is_ascii() || !c.is_whitespace()
}

/// What holds for every text that is imported.
fn holds(imported: &Imported) {
    let mut types: Vec<&str> =
        imported.formation.iter().map(|(process_type, _)| process_type.as_str()).collect();
    types.sort_unstable();
    if imported.procfile.is_empty() {
        assert!(types.is_empty());
    } else {
        let read = Procfile::parse(&imported.procfile).expect("what was imported is a Procfile");
        assert_eq!(read.sorted().map(|entry| entry.name).collect::<Vec<_>>(), types);
        assert_eq!(imported.procfile.split_inclusive(|byte| *byte == b'\n').count(), types.len());
    }
    let variables = EnvFile::parse(&imported.env_file).expect("what was imported is an env file");
    assert_eq!(imported.env_file.split_inclusive(|byte| *byte == b'\n').count(), variables.len());
    for note in &imported.notes {
        assert!(!note.is_empty() && !note.chars().any(char::is_control), "{note:?}");
    }
}

/// Where commands enter directories, they do that and then what they do without it.
fn enters_directories(manager: Manager, plain: &Imported, text: &[u8]) {
    // Nothing else says where a command starts.
    if !["cwd", "dir", "Dir"].iter().any(|word| text.windows(3).any(|window| window == word.as_bytes())) {
        return;
    }
    let around = Surroundings {
        name: "web.service",
        app: "",
        files: None,
        enter_directories: true,
        whole: None,
        sharing: None,
    };
    let entered = manager.read_in(&around, text).expect("what can be imported can enter directories");
    holds(&entered);
    if plain.procfile.is_empty() {
        return assert!(entered.procfile.is_empty());
    }
    let (plain, entered) = (Procfile::parse(&plain.procfile), Procfile::parse(&entered.procfile));
    let (plain, entered) = (plain.expect("it was read before"), entered.expect("it was read before"));
    assert_eq!(plain.entries().len(), entered.entries().len());
    for (plain, entered) in plain.entries().zip(entered.entries()) {
        assert_eq!(plain.name, entered.name);
        let before = entered.command.strip_suffix(plain.command).expect("the command itself comes last");
        let (before, plain) = (str::from_utf8(before), str::from_utf8(plain.command));
        let (before, plain) = (before.expect("UTF-8"), plain.expect("UTF-8"));
        if before.is_empty() {
            continue;
        }
        let several = plain.contains([';', '&', '|', '`', '(', '{', '#']) && sh::words(plain).is_none();
        let alone = before.strip_suffix(" && ").filter(|_| !several);
        let way = alone.or_else(|| before.strip_suffix(" || exit; ")).and_then(sh::words);
        let way =
            way.unwrap_or_else(|| panic!("{before:?} enters no directory, or not for all of {plain:?}"));
        assert!(
            way.len() == 2 && way[0] == "cd" && !way[1].starts_with('-') && !way[1].is_empty(),
            "{way:?}"
        );
    }
}

/// Whether names are such that each process type is called as its process is.
fn are_plain(processes: &[Process]) -> bool {
    let mut names: Vec<&str> = processes.iter().map(|process| process.name.as_str()).collect();
    names.sort_unstable();
    let plain = |name: &&str| {
        name.len() < 30
            && name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    names.iter().all(plain) && names.windows(2).all(|pair| pair[0] != pair[1])
}

/// Holds what was imported against what was meant; gives the number of commands.
fn compare(imported: &Imported, meant: &[Process], text: &str) -> u64 {
    if imported.notes.len() > 900 {
        return 0;
    }
    let procfile = Procfile::parse(&imported.procfile).ok();
    let mut compared = 0;
    for process in meant {
        let entry = procfile.as_ref().and_then(|file| file.get(&process.name));
        let Some(entry) = entry else {
            let note = format!("{}: left out: ", process.name);
            assert!(
                imported.notes.iter().any(|other| other.starts_with(&note)),
                "{} is lost: {text}",
                process.name
            );
            assert!(!must_be_kept(process), "{} is left out: {:?}: {text}", process.name, imported.notes);
            continue;
        };
        let line = std::str::from_utf8(entry.command).expect("an import writes UTF-8");
        if process.argv.is_some() || process.script.is_some() {
            assert!(says(line, process), "{line:?} is not {process:?}: {text}");
            compared += 1;
        }
        if let Some(count) = process.count {
            let found = imported.formation.get(&process.name).expect("a count of each type");
            assert_eq!(u64::from(found.get()), count.min(10_000), "{text}");
        }
    }
    variables_hold(imported, meant, text);
    compared
}

/// Whether a process has words, and they can stand on one line.
fn must_be_kept(process: &Process) -> bool {
    let Some(argv) = process.argv.as_ref().filter(|argv| !argv.is_empty()) else { return false };
    let plain = |word: &String| !sh::written(word).contains(|c: char| c.is_control() && c != '\t');
    let length: usize = argv.iter().map(String::len).sum();
    // A shell's script may be empty, and then there is nothing to run.
    argv.iter().all(plain) && length < 10_000 && script_of(argv).is_none()
}

/// The script of `sh -c script`: a Procfile's command is one already.
fn script_of(argv: &[String]) -> Option<&String> {
    match argv {
        [shell, flag, script] if (shell == "sh" || shell == "/bin/sh") && flag == "-c" => Some(script),
        _ => None,
    }
}

/// Whether a shell that runs this line runs the process.
fn says(line: &str, process: &Process) -> bool {
    let words = sh::words(line);
    if process.argv.is_some() && words == process.argv {
        return true;
    }
    let script = process.script.as_ref().or_else(|| script_of(process.argv.as_ref()?));
    let Some(script) = script else { return false };
    // Quotes of a script's own would keep the shell from a variable that another reader fills in.
    if sh::has_variable(script) && script.contains(['\'', '\\']) {
        return false;
    }
    let script = sh::written(script);
    let without_exec = script.strip_prefix("exec ").unwrap_or(&script);
    [script.as_str(), without_exec].iter().any(|script| {
        let script = script.trim();
        line == script || words.as_ref().is_some_and(|words| words == &["sh", "-c", script])
    })
}

/// Each variable that was imported is one that was meant; each that was meant is imported, or noted, or PORT or PS.
fn variables_hold(imported: &Imported, meant: &[Process], text: &str) {
    let Some(all) = meant.iter().map(|process| process.environment.as_ref()).collect::<Option<Vec<_>>>()
    else {
        return;
    };
    let procfile = Procfile::parse(&imported.procfile).ok();
    let kept = |process: &Process| procfile.as_ref().is_some_and(|file| file.get(&process.name).is_some());
    let read = EnvFile::parse(&imported.env_file).expect("what was imported is an env file");
    for (name, value) in read.iter_bytes() {
        let is = |(key, meant): &(String, Option<String>)| {
            key.as_bytes() == name && meant.as_ref().is_some_and(|meant| meant.as_bytes() == value)
        };
        let owners = meant.iter().zip(&all).filter(|(process, _)| kept(process));
        let found = owners.into_iter().any(|(_, variables)| variables.iter().any(is));
        assert!(meant.is_empty() || found, "{:?} comes from nowhere: {text}", String::from_utf8_lossy(name));
    }
    for (process, variables) in meant.iter().zip(&all).filter(|(process, _)| kept(process)) {
        for (name, _) in variables.iter().filter(|(name, _)| sh::is_name(name)) {
            let noted = || imported.notes.iter().any(|note| note.contains(&format!("variable {name} ")));
            assert!(read.get(name).is_some() || noted(), "{name} of {} is lost: {text}", process.name);
        }
    }
}
