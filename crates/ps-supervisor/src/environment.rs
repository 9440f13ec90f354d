//! The variables of an instance, from the spec: what stands in it, the env files that it names, and what each instance is
//! given besides.

use std::collections::BTreeMap;
use std::path::PathBuf;

use env_files::Environment;
use formation::Slot;
use procfile::Grammar;

use crate::confinement::name_user;
use crate::spec::Spec;

/// The variables of one instance; later wins: the spec's, those of the type's user, each file of `env_files`, `PORT`, `PS` and `DYNO`. `PWD` is the
/// directory that it starts in, unless a file sets it.
///
/// # Errors
/// The path of the file, and what is wrong with it; a variable that no process could be given.
pub fn environment(spec: &Spec, slot: &Slot, port: Option<u16>) -> Result<Environment, String> {
    for_instance(shared(spec)?, spec, slot, port)
}

/// What all instances share that are started at once, from one revision and in one directory: its files are read once for
/// all of them.
#[derive(Debug, Default)]
pub(crate) struct Environments(BTreeMap<(u64, PathBuf), Result<Environment, String>>);

impl Environments {
    /// From here on the files are read anew.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    /// [`environment`].
    pub(crate) fn of(&mut self, spec: &Spec, slot: &Slot, port: Option<u16>) -> Result<Environment, String> {
        let shared = self.0.entry((spec.revision, spec.directory.clone())).or_insert_with(|| shared(spec));
        for_instance(shared.clone()?, spec, slot, port)
    }
}

/// What all instances of a spec share.
fn shared(spec: &Spec) -> Result<Environment, String> {
    let mut environment = Environment::new(spec.env.clone());
    environment.set("PWD", &spec.directory);
    for path in &spec.env_files {
        let is_dokkus = spec.dokku_env_files.contains(path);
        environment.read_file(path, if is_dokkus { Grammar::Dokku } else { Grammar::Own })?;
    }
    Ok(environment)
}

fn for_instance(
    mut environment: Environment,
    spec: &Spec,
    slot: &Slot,
    port: Option<u16>,
) -> Result<Environment, String> {
    if let Some(settings) = spec.settings(&slot.process_type) {
        name_user(&mut environment, settings).map_err(|unknown| unknown.to_string())?;
    }
    if let Some(port) = port {
        environment.set("PORT", port.to_string());
    }
    environment.set("PS", slot.to_string());
    environment.set("DYNO", slot.to_string());
    environment.check()?;
    Ok(environment)
}
