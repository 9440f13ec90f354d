//! Compose files: each service that names a command or an entrypoint becomes a process type. Compose replaces `$X` when it reads the
//! file. In an imported command, the shell replaces it at each start. A variable with `$X` in its value is left out with a note,
//! because nothing expands the values of an env file in the same way.

use procfile::EnvFile;

use crate::import::command::{Command, Word};
use crate::import::directory;
use crate::import::error::ImportError;
use crate::import::found::{Asked, Found, Instance};
use crate::import::gather::Gathering;
use crate::import::node::Node;
use crate::import::surroundings::ReadFile;
use crate::import::words::{self, Atom};
use crate::import::yaml::{self, Octal};

/// What is read here, and what says nothing about how a process runs.
const KNOWN: &[&str] = &[
    "command",
    "entrypoint",
    "environment",
    "deploy",
    "scale",
    "container_name",
    "hostname",
    "labels",
    "working_dir",
];

/// Reads a Compose file.
pub(crate) fn read(
    gathering: &mut Gathering,
    files: Option<ReadFile<'_>>,
    text: &str,
) -> Result<(), ImportError> {
    let document = yaml::read(text, Octal::Legacy, "Compose file")?;
    let no = |why: &str| Err(ImportError::Syntax("Compose file", why.to_owned()));
    let Some(Node::Map(services)) = document.get("services") else { return no("it has no services") };
    let rest = document.entries().iter().map(|(key, _)| key.as_str());
    let quiet = |key: &str| ["name", "services", "version"].contains(&key) || key.starts_with("x-");
    gathering.note_settings("", rest.filter(|key| !quiet(key)));
    for (name, service) in services {
        read_service(gathering, files, name, service);
    }
    Ok(())
}

fn read_service(gathering: &mut Gathering, files: Option<ReadFile<'_>>, name: &str, service: &Node) {
    let command = match command(service) {
        Ok(Some(command)) => command,
        Ok(None) => return gathering.note(name, "left out: what it runs is in its image, not in this file"),
        Err(why) => return gathering.note(name, format_args!("left out: {why}")),
    };
    let count = count(gathering, name, service);
    let mut variables = files.map_or_else(Vec::new, |files| env_files(gathering, files, name, service));
    for (key, value) in environment(gathering, name, service.get("environment")) {
        variables.retain(|(other, _)| *other != key);
        variables.push((key, value));
    }
    let is_known = |key: &str| KNOWN.contains(&key) || (key == "env_file" && files.is_some());
    let rest = service.entries().iter().filter(|(key, value)| !is_known(key) && !value.is_empty());
    let deploy = service.get("deploy").map(Node::entries).unwrap_or_default();
    let deploy: Vec<String> =
        deploy.iter().filter(|(key, _)| key != "replicas").map(|(key, _)| format!("deploy.{key}")).collect();
    gathering.note_settings(name, rest.map(|(key, _)| key.as_str()).chain(deploy.iter().map(String::as_str)));
    let directory = service.get("working_dir").and_then(Node::scalar).map(|path| directory::plain(&path));
    let name = name.to_owned();
    gathering.add(Found {
        name,
        command,
        count,
        environment: variables,
        directory,
        instance: Instance::Alone,
        asked: Asked::default(),
    });
}

/// The variables of the env files that a service names. If a name occurs twice, its last value counts.
fn env_files(
    gathering: &mut Gathering,
    files: ReadFile<'_>,
    name: &str,
    service: &Node,
) -> Vec<(String, String)> {
    let items = match service.get("env_file") {
        Some(Node::List(items)) => items.as_slice(),
        Some(item) => std::slice::from_ref(item),
        None => &[],
    };
    let mut variables: Vec<(String, String)> = Vec::new();
    for path in items.iter().filter_map(|item| item.scalar().or_else(|| item.get("path")?.scalar())) {
        let read = files(&path).and_then(|bytes| EnvFile::parse(&bytes).map_err(|why| why.to_string()));
        match read {
            Ok(file) => {
                for (key, value) in file.iter() {
                    variables.retain(|(other, _)| other != key);
                    variables.push((key.to_owned(), value.to_owned()));
                }
            }
            Err(why) => gathering.note(name, format_args!("env_file {path} is left out: {why}")),
        }
    }
    variables
}

/// The entrypoint, with the command as its arguments; `None` if the service has neither.
fn command(service: &Node) -> Result<Option<Command>, &'static str> {
    let mut argv = Vec::new();
    for key in ["entrypoint", "command"] {
        match service.get(key) {
            None | Some(Node::Nothing) => {}
            Some(Node::List(items)) => {
                for item in items {
                    let item = item.scalar().ok_or("its command is no list of words")?;
                    argv.push(words::whole(interpolated(&item)?));
                }
            }
            Some(text) => argv.extend(split(text)?),
        }
    }
    Ok((!argv.is_empty()).then_some(Command::Argv(argv)))
}

fn split(text: &Node) -> Result<Vec<Word>, &'static str> {
    let text = text.scalar().ok_or("its command is no text")?;
    words::split(interpolated(&text)?).ok_or("its command has a quote that is not closed")
}

/// Takes the references out of a text: `$$` is a dollar sign, `$X`, `${X}` and `${X:-default}` are variables.
pub(crate) fn interpolated(text: &str) -> Result<Vec<Atom>, &'static str> {
    let (mut atoms, mut rest) = (Vec::new(), text);
    while let Some(at) = rest.find('$') {
        atoms.extend(words::plain(&rest[..at]));
        let behind = &rest[at + 1..];
        let len = match behind.as_bytes().first() {
            Some(b'$') => {
                atoms.push(Atom::Char('$'));
                1
            }
            Some(b'{') => {
                let end = behind.find('}').ok_or("it has a ${ that is not closed")?;
                let inside = &behind[1..end];
                if !is_plain_reference(inside) {
                    return Err("it holds a ${…} that a shell would read in another way");
                }
                atoms.push(Atom::Variable(format!("${{{inside}}}")));
                end + 1
            }
            _ => {
                let len = words::name_len(behind);
                if len == 0 {
                    return Err("it holds a $ before no name: Compose refuses it, too");
                }
                atoms.push(Atom::Variable(format!("${{{}}}", &behind[..len])));
                len
            }
        };
        rest = &behind[len..];
    }
    atoms.extend(words::plain(rest));
    Ok(atoms)
}

/// Whether the inside of a `${…}` means the same to Compose and to a shell: a name, perhaps with an operator and a word that needs no
/// quotes.
fn is_plain_reference(inside: &str) -> bool {
    let behind = &inside[words::name_len(inside)..];
    let operator = behind.strip_prefix(':').unwrap_or(behind);
    let word = operator.strip_prefix(['-', '?', '+']);
    let plain =
        |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_./:@%+=,-".contains(&byte));
    words::name_len(inside) > 0 && (behind.is_empty() || word.is_some_and(plain))
}

fn count(gathering: &mut Gathering, name: &str, service: &Node) -> u64 {
    let deploy = service.get("deploy");
    let wanted = deploy.and_then(|deploy| deploy.get("replicas")).or_else(|| service.get("scale"));
    let Some(word) = wanted.and_then(Node::scalar) else { return 1 };
    word.parse().unwrap_or_else(|_| {
        gathering.note(name, "its number of replicas is none: 1 is written");
        1
    })
}

fn environment(gathering: &mut Gathering, name: &str, environment: Option<&Node>) -> Vec<(String, String)> {
    let pairs: Vec<(String, Option<String>)> = match environment {
        Some(Node::List(items)) => items.iter().filter_map(Node::scalar).map(|item| pair(&item)).collect(),
        Some(map) => map.entries().iter().map(|(key, value)| (key.clone(), value.scalar())).collect(),
        None => Vec::new(),
    };
    let mut variables: Vec<(String, String)> = Vec::new();
    for (key, value) in pairs {
        let value = value.map(|value| interpolated(&value).ok().and_then(|atoms| words::text(&atoms)));
        match value {
            Some(Some(value)) => variables.push((key, value)),
            Some(None) => {
                gathering.note(name, format_args!("variable {key} is left out: Compose fills it in"));
            }
            None => gathering
                .note(name, format_args!("variable {key} is left out: its value is that of the caller")),
        }
    }
    variables
}

fn pair(item: &str) -> (String, Option<String>) {
    match item.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (item.to_owned(), None),
    }
}
