//! What `/bin/sh -c` is given, and with which environment.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use procfile::EnvFile;
use ps_scheduler::Slot;

use crate::spec::Spec;

/// The script for `/bin/sh -c`: joins the group whose file is given, then is the command. It never runs outside of it.
pub(crate) fn script(command: &str, joining_file: Option<&Path>) -> String {
    let script = procfile::shell_script(command);
    match joining_file {
        Some(file) => format!("echo 0 >{} || exit 126\n{script}", quote(&file.to_string_lossy())),
        None => script,
    }
}

/// A word that the shell reads as exactly `text`.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// The variables of one instance; later wins: the spec's, each file of `env_files`, `PORT`, `PS` and `DYNO`.
///
/// # Errors
/// The path of the file, and what is wrong with it.
pub fn environment(spec: &Spec, slot: &Slot, port: Option<u16>) -> Result<BTreeMap<String, String>, String> {
    let mut variables = spec.env.clone();
    for path in &spec.env_files {
        variables.extend(read_env_file(path)?);
    }
    if let Some(port) = port {
        variables.insert("PORT".to_owned(), port.to_string());
    }
    variables.insert("PS".to_owned(), slot.to_string());
    variables.insert("DYNO".to_owned(), slot.to_string());
    Ok(variables)
}

/// The variables of a dotenv file; none if it is not there.
///
/// # Errors
/// The path, and what is wrong with it.
pub fn read_env_file(path: &Path) -> Result<Vec<(String, String)>, String> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("read {}: {error}", path.display())),
    };
    let file = EnvFile::parse(&bytes).map_err(|error| format!("{}, {error}", path.display()))?;
    let legal = |(key, value): &(&str, &str)| !key.is_empty() && !key.contains('=') && !value.contains('\0');
    Ok(file.iter().filter(legal).map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_joins_first_and_quotes_what_it_joins() {
        let script = script("web", Some(Path::new("/a'b/cgroup.procs")));
        assert_eq!(script, "echo 0 >'/a'\\''b/cgroup.procs' || exit 126\nexec web");
    }
}
