//! The `PORT` of the first instance of the first type: `--port`, else `PORT` of the env files, else that of the
//! environment, else 5000, as in foreman. An invalid `PORT` is refused, wherever it comes from.

use std::ffi::OsStr;

use anyhow::{Result, bail};
use env_files::Environment;

const BASE_PORT: u16 = 5000;

/// The base port. `environment` has the variables of the env files over those of this process.
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
