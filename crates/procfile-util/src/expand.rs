//! `expand`: prints the whole Procfile with variables expanded. `show` uses the same expansion.

use std::io::Write as _;

use anyhow::Result;
use procfile::{Entry, EnvFile, Expanded, Style, Variables};
use ps_cli::exit::Outcome;

use crate::exists;
use crate::files::{self, EnvFileFailure};
use crate::flags::Given;
use crate::output::{self, Format, Row};
use crate::talk::{self, Failure};

pub(crate) fn run(given: &Given) -> Result<Outcome> {
    let procfile = files::procfile(given)?;
    let format = Format::of(&given.word("format"))?;
    let expansion = Expansion::new(given).map_err(|why| processing("error", &why))?;
    let wanted = given.word("process-type");
    if !wanted.is_empty() && procfile.get(&wanted).is_none() {
        talk::hint(&exists::missing(&procfile, &wanted));
    }
    let entries: Vec<_> = procfile.sorted().collect();
    let all: Vec<_> = entries.iter().zip(expansion.of(&entries)?).collect();
    let mut asked = all.iter().filter(|(entry, _)| wanted.is_empty() || entry.name == wanted);
    if format == Format::Json {
        let rows: Vec<_> = asked.map(|(entry, command)| Row::new(entry, command)).collect();
        return output::json(&rows);
    }
    let delimiter = procfile.options().delimiter.as_bytes();
    let mut out = output::stdout();
    asked.try_for_each(|(entry, command)| {
        out.write_all(&[entry.name.as_bytes(), delimiter, b" ", command, b"\n"].concat())
    })?;
    out.flush()?;
    Ok(Outcome::Done)
}

/// The error for an env file. In `show` it begins with a capital letter, in `expand` it does not.
pub(crate) fn processing(error: &str, why: &EnvFileFailure) -> anyhow::Error {
    Failure::lines(vec![format!("{error} processing command: {}", why.text())])
}

/// How the commands of one Procfile are expanded.
pub(crate) struct Expansion {
    env_file: Option<EnvFile>,
    getenv: bool,
    port: i64,
    style: Style,
    strict: bool,
}

impl Expansion {
    pub(crate) fn new(given: &Given) -> Result<Self, EnvFileFailure> {
        let style =
            Style { shell_defaults: given.on("shell-defaults"), keep_unknown: given.on("keep-unknown") };
        Ok(Self {
            env_file: files::env_file(given)?,
            getenv: given.on("allow-getenv"),
            port: given.integer("default-port"),
            style,
            strict: given.on("strict-env"),
        })
    }

    /// The commands of these entries, expanded. The error names every variable that is missing, with its line.
    pub(crate) fn of(&self, entries: &[Entry<'_>]) -> Result<Vec<Vec<u8>>> {
        let (mut commands, mut missing) = (Vec::with_capacity(entries.len()), Vec::new());
        for entry in entries {
            let expanded = self.one(entry);
            let line = entry.line;
            if self.strict {
                let undefined = |name: &String| format!("variable {name} is not defined, line {line}");
                missing.extend(expanded.unresolved.iter().map(undefined));
            }
            let demand = |(name, message): &(String, String)| match message.as_str() {
                "" => format!("variable {name} is empty or not defined, line {line}"),
                message => format!("{name}: {message}, line {line}"),
            };
            missing.extend(expanded.demanded.iter().map(demand));
            commands.push(expanded.command);
        }
        if missing.is_empty() { Ok(commands) } else { Err(Failure::lines(missing)) }
    }

    fn one(&self, entry: &Entry<'_>) -> Expanded {
        let ambient = |name: &[u8]| files::ambient(name);
        let variables = Variables {
            env_file: self.env_file.as_ref(),
            ambient: if self.getenv { Some(&ambient) } else { None },
            ps: entry.name,
            port: self.port,
        };
        procfile::expand_in_style(entry.command, &variables, self.style)
    }
}
