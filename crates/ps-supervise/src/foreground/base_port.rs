//! Which PORT the first instance of the first type gets: `--port`, else `PORT` of the files with variables, else that of
//! the environment, else 5000. It is foreman's order. A `PORT` that is none is refused, whoever says it.

use std::ffi::OsStr;

use anyhow::{Result, bail};
use env_files::Environment;

const BASE_PORT: u16 = 5000;

/// The base of the ports. `environment` has the variables of the files over those that we were started with.
pub(crate) fn base_port(asked: Option<u16>, environment: &Environment) -> Result<u16> {
    let name = OsStr::new("PORT");
    match (asked, environment.get(name)) {
        (Some(port), _) => Ok(port),
        (None, Some(value)) => {
            let place =
                environment.place_of(name).map(|(path, line)| format!("{}, line {line}", path.display()));
            parse(&value.to_string_lossy(), place.as_deref().unwrap_or("the environment"))
        }
        (None, None) => Ok(BASE_PORT),
    }
}

fn parse(value: &str, place: &str) -> Result<u16> {
    match value.trim().parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => bail!("PORT={value} in {place} is no port: give a whole number from 1 to 65535, or use --port"),
    }
}
