//! The translation of a declaration that runs natively: a Procfile, an app.json, variables and counts, and the
//! directory in which it runs.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use formation::ProcessType;
use procfile::Procfile;
use ps_release::Checkout;

/// A Procfile, and the files and values that belong to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    /// The directory that the commands start in.
    pub(super) directory: PathBuf,
    pub(super) procfile: Vec<u8>,
    pub(super) app_json: Option<Vec<u8>>,
    /// The content of a file DOKKU_SCALE beside a Procfile.
    pub(super) dokku_scale: Option<Vec<u8>>,
    /// The declared variables, as an env file; `None`: this format has no variables.
    pub(super) environment: Option<Vec<u8>>,
    /// The types for which each of these variables was declared; an empty set: all types.
    pub(super) variables: BTreeMap<String, BTreeSet<String>>,
    /// The declared counts, in the words of `ps-scale`.
    pub(super) counts: BTreeMap<String, String>,
    /// The types whose instances share the ports that they ask for.
    pub(super) shared: BTreeSet<String>,
    /// Whether a type without a count begins with one instance.
    pub(super) starts_one: bool,
}

impl Files {
    pub(super) fn parsed(&self) -> Result<Procfile> {
        Procfile::parse(&self.procfile).context("the Procfile")
    }

    /// The process types, in the order of the Procfile.
    pub(super) fn types(&self) -> Result<Vec<ProcessType>> {
        Ok(self.parsed()?.entries().map(|entry| entry.process_type()).collect())
    }

    pub(super) fn checkout(&self) -> Result<Checkout> {
        let (procfile, app_json) = (self.procfile.clone(), self.app_json.clone());
        let mut checkout = Checkout::of_declaration(&self.directory, procfile, app_json)?;
        checkout.dokku_scale.clone_from(&self.dokku_scale);
        Ok(checkout)
    }

    /// Prints the files, each below its name.
    pub(super) fn print(&self) -> Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "# in {}", self.directory.display())?;
        let mut file = |name: &str, bytes: &[u8]| -> io::Result<()> {
            if bytes.is_empty() {
                return Ok(());
            }
            writeln!(out, "==> {name} <==")?;
            out.write_all(bytes)?;
            if bytes.ends_with(b"\n") { Ok(()) } else { out.write_all(b"\n") }
        };
        file("Procfile", &self.procfile)?;
        file("app.json", self.app_json.as_deref().unwrap_or_default())?;
        file(".env", self.environment.as_deref().unwrap_or_default())?;
        let counts = self.counts.iter().map(|(name, count)| format!("{name}={count}\n"));
        file("formation", counts.collect::<String>().as_bytes())?;
        Ok(out.flush()?)
    }
}
