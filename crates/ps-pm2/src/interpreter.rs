//! Chooses the program that runs a script: by an option, by the extension, or by the content of the file.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// pm2's list, with other programs that do where the first one is not there.
const EXTENSIONS: [(&str, &[&str]); 8] = [
    ("sh", &["bash", "sh"]),
    ("py", &["python", "python3"]),
    ("rb", &["ruby"]),
    ("php", &["php"]),
    ("pl", &["perl"]),
    ("coffee", &["coffee"]),
    ("ls", &["lsc"]),
    ("ts", &["bun", "ts-node", "node"]),
];
const NODE: &str = "node";
/// How much of a file is read to know what it is, in bytes.
const BEGINNING: u64 = 256;

/// What runs a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Interpreter {
    /// The script is a program.
    Itself,
    /// This program, and arguments that come before the script.
    Program(PathBuf, Vec<String>),
}

/// Which of pm2's modes a script has without a word about it: node's files `cluster`, what has an interpreter by its extension `fork`.
pub(crate) fn is_cluster(script: &Path) -> bool {
    !matches!(
        script.extension().and_then(OsStr::to_str),
        Some("sh" | "py" | "rb" | "php" | "pl" | "ls" | "ts")
    )
}

/// What pm2 names as the interpreter of a script without a word about it.
pub(crate) fn shown(script: &Path) -> &'static str {
    by_extension(script).map_or(NODE, |programs| programs[0])
}

/// What runs a script. `given`: what was said; `none` is the script itself. `path` is the variable `PATH` of the app.
pub(crate) fn of(script: &Path, given: Option<&str>, path: &str) -> Result<Interpreter> {
    match given {
        Some("none") => return Ok(Interpreter::Itself),
        Some(given) => return program(&[given], path, script),
        None => (),
    }
    if let Some(programs) = by_extension(script) {
        let local = script.parent().map(|parent| parent.join("node_modules/.bin").display().to_string());
        let path = local.map_or_else(|| path.to_owned(), |local| format!("{path}:{local}"));
        return program(programs, &path, script);
    }
    let is_nodes = matches!(script.extension().and_then(OsStr::to_str), Some("js" | "mjs" | "cjs" | "json"));
    if !is_nodes && says_itself(script) {
        return itself(script);
    }
    program(&[NODE], path, script)
}

fn by_extension(script: &Path) -> Option<&'static [&'static str]> {
    let extension = script.extension()?.to_str()?;
    EXTENSIONS.iter().find(|(known, _)| *known == extension).map(|(_, programs)| *programs)
}

/// The first program of this name in `PATH` that is another file than this one.
pub(crate) fn other_than(own: &Path, name: &str, path: &str) -> Option<PathBuf> {
    let places = path.split(':').map(|directory| Path::new(directory).join(name));
    let is_other = |path: &PathBuf| path.canonicalize().is_ok_and(|real| real != own);
    places.filter(|path| is_program(path)).find(is_other)
}

fn program(names: &[&str], path: &str, script: &Path) -> Result<Interpreter> {
    if let Some(found) = names.iter().find_map(|name| find(name, path)) {
        return Ok(Interpreter::Program(found, Vec::new()));
    }
    let name = names[0];
    bail!(
        "{}: the interpreter {name} is not there: install it, or name another one with --interpreter",
        script.display()
    )
}

/// A program by its path, or in `PATH`.
fn find(name: &str, path: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| is_program(path));
    }
    path.split(':').map(|directory| Path::new(directory).join(name)).find(|path| is_program(path))
}

/// The program that a word without a `/` names, such as `npm`: the first one in our own `PATH`.
pub(crate) fn on_path(word: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    find(word, &path).filter(|_| !word.is_empty() && !word.contains('/'))
}

/// Whether a script is the program that its name alone finds. Programs of the machine run as they are, also those that node runs.
pub(crate) fn is_on_path(script: &Path) -> bool {
    let name = script.file_name().and_then(OsStr::to_str);
    name.and_then(on_path).is_some_and(|program| program == script)
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

/// Whether a file is a program, or names its interpreter in its first line.
fn says_itself(script: &Path) -> bool {
    let beginning = beginning(script);
    beginning.starts_with(b"#!") || beginning.starts_with(b"\x7fELF")
}

fn itself(script: &Path) -> Result<Interpreter> {
    if is_program(script) {
        return Ok(Interpreter::Itself);
    }
    let beginning = beginning(script);
    let line = beginning.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line.strip_prefix(b"#!").unwrap_or_default()).trim().to_owned();
    let (program, argument) = line.split_once(' ').unwrap_or((&line, ""));
    if program.is_empty() {
        bail!("{} may not be executed: chmod +x {0}", script.display());
    }
    let arguments = Some(argument.trim()).filter(|argument| !argument.is_empty());
    Ok(Interpreter::Program(program.into(), arguments.map(str::to_owned).into_iter().collect()))
}

fn beginning(script: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = File::open(script).and_then(|file| file.take(BEGINNING).read_to_end(&mut bytes));
    if read.is_err() {
        bytes.clear();
    }
    bytes
}
