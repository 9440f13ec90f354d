//! Reads files that declare apps, and stdin: JSON, JSON as JavaScript reads it, and YAML. An `ecosystem.config.js` is a
//! program, which node runs only if the caller allows it.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use procfile_exchange::import::{pm2_apps, pm2_beside_apps};
use procfile_exchange::instead_of;
use procfile_exchange::pm2::{self, Declaration};

use crate::given;
use crate::say;
use crate::session::Session;

const MAX_BYTES: u64 = 16 << 20;
/// What `start` without a word looks for.
const USUAL: [&str; 8] = [
    "ecosystem.config.js",
    "ecosystem.config.cjs",
    "ecosystem.config.mjs",
    "ecosystem.json",
    "ecosystem.yml",
    "ecosystem.yaml",
    "process.json",
    "process.yml",
];

/// Whether a word of the command line is a file that declares apps.
pub(crate) fn declares(word: &str) -> bool {
    let extension = Path::new(word).extension().and_then(OsStr::to_str);
    word == "-" || matches!(extension, Some("json" | "json5" | "yml" | "yaml")) || is_program(word)
}

/// The file that is meant where none is named.
pub(crate) fn usual(session: &Session) -> Option<String> {
    USUAL.iter().find(|name| session.cwd.join(name).is_file()).map(|name| (*name).to_owned())
}

/// The apps that a file, or stdin (`-`), declares, those that `--only` leaves.
pub(crate) fn declarations(session: &Session, word: &str) -> Result<Vec<Declaration>> {
    let bytes = if word == "-" {
        stdin()?
    } else if is_program(word) {
        ask_node(session, word)?
    } else {
        file(&session.path(Path::new(word)))?
    };
    let place = if word == "-" { "stdin" } else { word };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        bail!("{place} is empty: JSON that lists the apps is wanted");
    }
    let read = read(&bytes).with_context(|| format!("{place} is no JSON that describes apps"))?;
    if session.args.words.first().is_some_and(|verb| verb.starts_with("start")) {
        remark(&bytes);
    }
    let only: Option<Vec<&str>> =
        session.args.only.as_ref().map(|names| names.split(',').map(str::trim).collect());
    let name = |declared: &Declaration| declared.text("name").ok().flatten();
    let names: Vec<String> = read.iter().filter_map(name).collect();
    refuse_absent(only.as_deref().unwrap_or_default(), &names, place)?;
    let is_meant = |declared: &Declaration| {
        only.as_ref().is_none_or(|only| name(declared).is_some_and(|name| only.contains(&name.as_str())))
    };
    let said = said_beside(session, word)?;
    let complete = |mut declared: Declaration| {
        for (key, value) in &said.0 {
            declared.set(key, value.clone());
        }
        given::complete(session, &mut declared);
        declared
    };
    Ok(read.into_iter().filter(is_meant).map(complete).collect())
}

/// What the options of a command that starts something say of every app of a file. Its names are those of the file.
fn said_beside(session: &Session, place: &str) -> Result<Declaration> {
    let verb = session.args.words.first().map_or("", String::as_str);
    let mut said = given::said(&session.args)?;
    if !["start", "restart", "reload", "graceful"].iter().any(|word| verb.starts_with(word)) {
        return Ok(Declaration::default());
    }
    if said.says("name") {
        said.0.retain(|(key, _)| key != "name");
        say::warning(format_args!("--name has no effect on the apps of {place}, which says their names"));
    }
    Ok(said)
}

/// Refuses names of `--only` that the file does not have. Where it has others of them, pm2 takes these, and the rest is warned of.
fn refuse_absent(only: &[&str], names: &[String], place: &str) -> Result<()> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let absent: Vec<&str> = only.iter().copied().filter(|only| !names.contains(only)).collect();
    let Some(first) = absent.first() else { return Ok(()) };
    let known = instead_of(first, &names);
    let told = format!("--only {}: {place} does not declare it, but {known}", absent.join(","));
    if absent.len() == only.len() {
        bail!(told);
    }
    say::warning(told);
    Ok(())
}

/// Warns of what a file says beside its apps.
fn remark(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    for key in pm2_beside_apps(text) {
        let why = if key == "deploy" {
            "the command deploy of pm2 is not done here"
        } else {
            "it is outside of apps"
        };
        say::warning(format_args!("{key} has no effect: {why}"));
    }
}

/// What is plain JSON needs no other reader, which would say less of what is wrong with it.
fn read(bytes: &[u8]) -> Result<Vec<Declaration>> {
    match pm2::parse(bytes) {
        Ok(read) => Ok(read.0),
        Err(plain) => {
            let apps = std::str::from_utf8(bytes).ok().and_then(|text| pm2_apps(text).ok());
            apps.ok_or_else(|| plain.into())
        }
    }
}

fn is_program(word: &str) -> bool {
    [".config.js", ".config.cjs", ".config.mjs"].iter().any(|end| word.ends_with(end))
}

fn ask_node(session: &Session, word: &str) -> Result<Vec<u8>> {
    let path = session.path(Path::new(word));
    if !path.is_file() {
        bail!("read {}: no such file", path.display());
    }
    if !session.args.allow_js {
        bail!("{word} is a program, so it is not run unless you allow it: add --allow-js, and node runs it");
    }
    let mut node = Command::new("node");
    node.args(["-e", pm2::PRINT_MODULE]).arg(&path).stdin(Stdio::null()).stderr(Stdio::inherit());
    let said = node.output().context("run node: install it, or write the declaration as JSON")?;
    if !said.status.success() {
        bail!("node could not run {word}: {}", said.status);
    }
    Ok(said.stdout)
}

pub(crate) fn stdin() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_BYTES).read_to_end(&mut bytes).context("read stdin")?;
    Ok(bytes)
}

fn file(path: &Path) -> Result<Vec<u8>> {
    durable::argument(path, MAX_BYTES, &|| false).with_context(|| format!("read {}", path.display()))
}
