//! The variables of an instance: those of the spec, those of the env files that it names, and those that are set for each
//! instance.

use std::collections::BTreeMap;
use std::net::SocketAddr;
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
/// The path of a file that cannot be read, and why; or a variable that no process can have, for example one with a NUL
/// byte.
pub fn environment(spec: &Spec, slot: &Slot, port: Option<u16>) -> Result<Environment, String> {
    for_instance(shared(spec)?, spec, slot, port)
}

/// The variables that all instances of one revision and directory share. They are kept, so that the env files are read
/// once when many instances are started together.
#[derive(Debug, Default)]
pub(crate) struct Environments(BTreeMap<(u64, PathBuf), Result<Environment, String>>);

impl Environments {
    /// Forgets what was read, so that the files are read again.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }

    /// The same as [`environment`], with the kept variables.
    pub(crate) fn of(&mut self, spec: &Spec, slot: &Slot, port: Option<u16>) -> Result<Environment, String> {
        let shared = self.0.entry((spec.revision, spec.directory.clone())).or_insert_with(|| shared(spec));
        for_instance(shared.clone()?, spec, slot, port)
    }
}

/// The variables that all instances of a spec share.
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
    // One that does not take the sockets that it is given fails at once with this port, and does not run without clients.
    let of_address = spec.listen.first().filter(|_| spec.passes_sockets(&slot.process_type));
    if let Some(port) = of_address.map(SocketAddr::port).or(port) {
        environment.set("PORT", port.to_string());
    }
    environment.set("PS", slot.to_string());
    environment.set("DYNO", slot.to_string());
    environment.check()?;
    Ok(environment)
}
