//! `check`: whether a Procfile is legal. It reports every problem and, with `--warn`, also legal lines that were
//! probably not meant. A warning about a command of which only a part will run is printed in any case. In a pipe, and
//! without such flags, it prints on stdout what the original prints.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal as _, Write as _};

use anyhow::{Result, bail};
use procfile::{ParseError, ParseOptions, Procfile};
use ps_cli::exit::Outcome;
use serde::Serialize;

use crate::diagnose::{self, Finding, Severity};
use crate::flags::Given;
use crate::{files, output, search, talk};

pub(crate) fn run(given: &Given) -> Result<Outcome> {
    let paths = search::procfiles(&given.texts("procfile"));
    let manner = Manner::of(given, paths.len() > 1)?;
    let options = files::options(given);
    let files = search::in_parallel(&paths, |place| match place {
        Ok(path) => Checked::on(path, given, options.as_ref().ok(), manner),
        Err((path, why)) => Ok(Checked::unreadable(path, why.to_string())),
    });
    let mut good = true;
    for checked in files {
        let checked = checked?;
        checked.report(manner)?;
        good &= checked.legal.is_some() && !(given.on("deny-warnings") && checked.has_warnings());
    }
    Ok(if good { Outcome::Done } else { Outcome::No })
}

/// The form in which files are reported.
#[derive(Clone, Copy, Debug)]
struct Manner {
    form: Form,
    warn: bool,
    several: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One message per line.
    Plain,
    /// Each problem with its line, a caret and a proposal.
    Rich,
    Json,
    GitHub,
}

impl Manner {
    fn of(given: &Given, several: bool) -> Result<Self> {
        let terminal = io::stderr().is_terminal();
        let asked = given.on("warn") || given.on("deny-warnings");
        let form = match &*given.word("format") {
            "" if terminal || asked => Form::Rich,
            "" => Form::Plain,
            "text" => Form::Rich,
            "json" => Form::Json,
            "github" => Form::GitHub,
            other => bail!("invalid format: {other:?}: use text, json or github"),
        };
        let warn = asked || terminal || matches!(form, Form::Json | Form::GitHub);
        Ok(Self { form, warn, several })
    }
}

/// The result for one file.
struct Checked {
    path: OsString,
    /// The Procfile, if it is legal.
    legal: Option<Procfile>,
    findings: Vec<Finding>,
    omitted: usize,
}

/// The result for one file, in JSON.
#[derive(Serialize)]
struct Row<'a> {
    file: Cow<'a, str>,
    valid: bool,
    process_types: Vec<&'a str>,
    findings: &'a [Finding],
    omitted: usize,
}

impl Checked {
    fn on(path: &OsStr, given: &Given, options: Option<&ParseOptions>, manner: Manner) -> Result<Self> {
        let mut checked = Self { path: path.to_owned(), legal: None, findings: Vec::new(), omitted: 0 };
        let bytes = match files::read(path) {
            Ok(bytes) => bytes,
            Err(why) if manner.several || manner.form != Form::Plain => {
                return Ok(Self::unreadable(path, why.to_string()));
            }
            Err(why) => return Err(why),
        };
        let Some(options) = options else { return files::options(given).map(|_| checked) };
        match Procfile::parse_with(bytes, options) {
            Ok(procfile) => checked.accept(procfile, manner),
            Err(refused) => checked.refuse(&refused, options),
        }
        Ok(checked)
    }

    fn unreadable(path: &OsStr, why: String) -> Self {
        Self { path: path.to_owned(), legal: None, findings: vec![Finding::unreadable(why)], omitted: 0 }
    }

    fn accept(&mut self, procfile: Procfile, manner: Manner) {
        let warnings = if manner.warn { procfile.warnings() } else { procfile.changed_commands() };
        self.findings = warnings.iter().map(Finding::from).collect();
        self.legal = Some(procfile);
    }

    fn refuse(&mut self, refused: &ParseError, options: &ParseOptions) {
        self.findings = diagnose::errors(refused, options);
        self.omitted = refused.omitted();
    }

    fn has_warnings(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Warning)
    }

    fn report(&self, manner: Manner) -> Result<()> {
        match manner.form {
            Form::Json => output::json(&self.row()).map(drop),
            Form::GitHub => {
                let lines: Vec<String> = self
                    .findings
                    .iter()
                    .map(|finding| diagnose::github(&self.path, finding) + "\n")
                    .collect();
                output::print(lines.concat().as_bytes()).map(drop)
            }
            Form::Plain | Form::Rich => self.talk(manner),
        }
    }

    fn row(&self) -> Row<'_> {
        Row {
            file: self.path.to_string_lossy(),
            valid: self.legal.is_some(),
            process_types: self.legal.iter().flat_map(Procfile::sorted).map(|entry| entry.name).collect(),
            findings: &self.findings,
            omitted: self.omitted,
        }
    }

    fn talk(&self, manner: Manner) -> Result<()> {
        let colored = talk::colored();
        let origin = if manner.several { format!("{}: ", self.path.display()) } else { String::new() };
        for finding in &self.findings {
            talk::say(&match manner.form {
                Form::Rich => diagnose::rich(&self.path, finding, colored),
                _ => talk::prefixed(&format!("{origin}{}", diagnose::plain(finding)), colored),
            });
        }
        if self.omitted > 0 {
            talk::say(&talk::prefixed(&format!("{origin}and {} more problems", self.omitted), colored));
        }
        self.legal.as_ref().map_or(Ok(()), |procfile| congratulate(&origin, procfile))
    }
}

/// Prints one line with all names.
fn congratulate(origin: &str, procfile: &Procfile) -> Result<()> {
    let mut out = output::stdout();
    write!(out, "{origin}valid procfile detected")?;
    let mut separator = " ";
    for name in procfile.sorted_names() {
        out.write_all(separator.as_bytes())?;
        out.write_all(name)?;
        separator = ", ";
    }
    out.write_all(b"\n")?;
    out.flush()?;
    Ok(())
}
