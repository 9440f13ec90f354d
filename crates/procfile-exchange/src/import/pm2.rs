//! pm2's process files: an object with `apps`, a list of apps, or one app. (A list of processes that ran is read by `pm2_dump`.) pm2
//! reads its `.json` files as JavaScript, so comments, keys without quotes, and single quotes are legal. A `.js` file is a
//! program and is refused.

use std::collections::BTreeSet;

use crate::import::command::Command;
use crate::import::directory;
use crate::import::error::ImportError;
use crate::import::found::{Asked, Found, Instance};
use crate::import::gather::Gathering;
use crate::import::node::Node;
use crate::import::pm2_setting::{arguments, note_cluster, stem};
use crate::import::yaml::{self, Octal};
use crate::import::{pm2_asked, pm2_dump, pm2_shared, words};

/// What is read here, and what says nothing about how a process runs.
const KNOWN: &[&str] = &[
    "name",
    "script",
    "exec",
    "args",
    "interpreter",
    "exec_interpreter",
    "node_args",
    "interpreter_args",
    "nodeArgs",
    "interpreterArgs",
    "instances",
    "env",
    "exec_mode",
    "autorestart",
    "pid",
    "monit",
];

/// Reads a process file.
pub(crate) fn read(gathering: &mut Gathering, text: &str) -> Result<(), ImportError> {
    let document = document(text)?;
    let apps = match document.get("apps").or_else(|| document.get("pm2")) {
        Some(apps) => {
            let rest = document.entries().iter().map(|(key, _)| key.as_str());
            gathering.note_settings(
                "",
                rest.filter(|key| !["apps", "pm2"].contains(key) && !key.starts_with("x-")),
            );
            apps
        }
        None => &document,
    };
    let apps = match apps {
        Node::List(apps) if apps.iter().any(pm2_dump::is_process) => {
            pm2_dump::read(gathering, apps);
            return Ok(());
        }
        Node::List(apps) => &apps[..],
        Node::Map(_) => std::slice::from_ref(apps),
        _ => return Err(ImportError::Syntax("process file of pm2", "there are no apps in it".to_owned())),
    };
    for (at, app) in apps.iter().enumerate() {
        read_app(gathering, at, app)?;
    }
    Ok(())
}

/// The document, in whichever of its spellings.
pub(crate) fn document(text: &str) -> Result<Node, ImportError> {
    let start = text.trim_start();
    let javascript =
        ["module.", "exports", "const ", "let ", "var ", "require(", "import ", "export ", "'use ", "\"use "];
    if javascript.iter().any(|word| start.starts_with(word))
        || start.starts_with("//") && text.contains("module.exports")
    {
        return Err(ImportError::JavaScript);
    }
    if !start.starts_with(['{', '[', '/']) {
        return yaml::read(text, Octal::Marked, "process file of pm2");
    }
    match jsonc_parser::parse_to_serde_value(text, &jsonc_parser::ParseOptions::default()) {
        Ok(document) => Ok(document),
        Err(_) if text.contains("module.exports") => Err(ImportError::JavaScript),
        Err(why) => Err(ImportError::Syntax("process file of pm2", why.to_string())),
    }
}

fn read_app(gathering: &mut Gathering, at: usize, app: &Node) -> Result<(), ImportError> {
    let text = |key: &str| app.get(key).and_then(Node::scalar).filter(|text| !text.is_empty());
    let Some(script) = text("script").or_else(|| text("exec")) else {
        let name = text("name").unwrap_or_else(|| format!("app {}", at + 1));
        gathering.note(&name, "left out: it has no script");
        return Ok(());
    };
    let name = text("name").unwrap_or_else(|| stem(&script).to_owned());
    let command = match command(gathering, &name, app, &script) {
        Ok(command) => command,
        Err(why) => {
            gathering.note(&name, format_args!("left out: {why}"));
            return Ok(());
        }
    };
    let mut environment = environment(gathering, &name, app.get("env"));
    let mut command = command;
    let (count, asked) = if gathering.is_whole() {
        let shared = pm2_shared::of(gathering, &name, app, &command)?;
        let mut asked = pm2_asked::of(gathering, &name, app, shared.is_some())?;
        if let Some(shared) = shared {
            command = shared.put(command, &mut environment, &mut asked);
        }
        (1, asked)
    } else {
        note_rest(gathering, &name, app);
        (count(gathering, &name, app), Asked::default())
    };
    let directory = text("cwd").map(|path| directory::plain(&path));
    gathering.add(Found { name, command, count, environment, directory, instance: Instance::Alone, asked });
    Ok(())
}

fn command(gathering: &mut Gathering, name: &str, app: &Node, script: &str) -> Result<Command, &'static str> {
    let args = arguments(app.get("args"))?;
    if script.trim().contains(char::is_whitespace) {
        if !args.is_empty() {
            return Err("its script is a line for a shell, and has args besides");
        }
        return Ok(Command::Script(script.to_owned()));
    }
    let interpreter = ["interpreter", "exec_interpreter"].iter().find_map(|key| app.get(key)?.scalar());
    let interpreter =
        interpreter.filter(|word| !word.is_empty()).or_else(|| by_extension(gathering, name, script));
    let keys = ["node_args", "interpreter_args", "nodeArgs", "interpreterArgs"];
    let mut argv = Vec::new();
    match interpreter.as_deref() {
        None | Some("none") => {}
        Some(interpreter) => {
            argv.push(words::whole(words::plain(interpreter)));
            argv.extend(arguments(keys.iter().find_map(|key| app.get(key)))?);
        }
    }
    argv.push(words::whole(words::plain(script)));
    argv.extend(args);
    Ok(Command::Argv(argv))
}

/// The interpreter that pm2 takes for a script if the file names none.
fn by_extension(gathering: &mut Gathering, name: &str, script: &str) -> Option<String> {
    let file = script.rsplit('/').next().unwrap_or(script);
    let interpreter = match file.rsplit_once('.').map(|(_, extension)| extension) {
        Some("sh") => "bash",
        Some("py") => "python",
        Some("rb") => "ruby",
        Some("php") => "php",
        Some("pl") => "perl",
        Some("coffee") => "coffee",
        Some("ls") => "lsc",
        Some("ts" | "tsx") => "bun",
        // pm2 does the same for js, mjs, cjs and every extension that it does not know.
        Some(_) => "node",
        None => {
            let what = "its script has no extension, so it is run as a program: it has to be executable, and a script needs a first line such as #!/usr/bin/env node";
            gathering.note(name, what);
            return None;
        }
    };
    if interpreter == "bun" {
        gathering.note(name, "its script is TypeScript: run with bun, as pm2 does since version 6");
    }
    Some(interpreter.to_owned())
}

fn count(gathering: &mut Gathering, name: &str, app: &Node) -> u64 {
    let Some(word) = app.get("instances").and_then(Node::scalar) else { return 1 };
    match word.parse::<u64>() {
        Ok(count) if count > 0 => count,
        _ => {
            gathering.note(
                name,
                format_args!("instances {word:?} depends on the machine's processors: 1 is written"),
            );
            1
        }
    }
}

fn environment(gathering: &mut Gathering, name: &str, env: Option<&Node>) -> Vec<(String, String)> {
    let (mut variables, mut seen) = (Vec::new(), BTreeSet::new());
    // If a key is there twice, its last value counts.
    for (key, value) in env.map(Node::entries).unwrap_or_default().iter().rev() {
        match value.scalar() {
            _ if !seen.insert(key) => {}
            Some(value) => variables.push((key.clone(), value)),
            None => gathering.note(name, format_args!("variable {key} is left out: it is no text")),
        }
    }
    variables.reverse();
    variables
}

fn note_rest(gathering: &mut Gathering, name: &str, app: &Node) {
    let mut rest: Vec<&str> = Vec::new();
    for (key, value) in app.entries() {
        let quiet = KNOWN.contains(&key.as_str()) || key == "cwd" || value.is_empty();
        if !quiet {
            rest.push(key);
        }
    }
    if app.get("autorestart") == Some(&Node::Truth(false)) {
        rest.push("autorestart");
    }
    note_cluster(gathering, name, app);
    gathering.note_settings(name, rest);
}
