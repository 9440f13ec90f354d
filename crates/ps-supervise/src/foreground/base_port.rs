//! Which PORT the first instance of the first type gets: `--port`, else `PORT` of the files with variables, else that of
//! the environment, else 5000. It is foreman's order. A `PORT` that is none is refused, whoever says it.

use anyhow::{Result, bail};
use std::env;

use super::source::EnvVariables;

const BASE_PORT: u16 = 5000;

/// The base of the ports. `files` are the variables of each file, the last wins.
pub(crate) fn base_port(asked: Option<u16>, files: &[EnvVariables]) -> Result<u16> {
    if let Some(port) = asked {
        return Ok(port);
    }
    let mut of_files =
        files.iter().flat_map(|file| file.variables.iter().map(move |entry| (&file.path, entry)));
    if let Some((path, (_, value))) = of_files.rfind(|(_, (name, _))| name == "PORT") {
        return parse(value, &path.display().to_string());
    }
    match env::var_os("PORT") {
        Some(value) => parse(&value.to_string_lossy(), "the environment"),
        None => Ok(BASE_PORT),
    }
}

fn parse(value: &str, place: &str) -> Result<u16> {
    match value.trim().parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => bail!("PORT={value} in {place} is no port: give a whole number from 1 to 65535, or use --port"),
    }
}
