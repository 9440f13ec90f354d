//! `data/scheduler-swarm/<app>/committed.json`: the deploy of an app that was committed last. It is written when the
//! swarm runs the new release. Services of any other deploy were left by a program that died.

use std::path::{Path, PathBuf};

use durable::{Directory, ReadError};
use formation::AppName;
use ps_apps::{Scope, World};
use ps_scheduler::Error;
use serde::{Deserialize, Serialize};

const PLUGIN: &str = "scheduler-swarm";
const FILE: &str = "committed.json";
const FORMAT: u8 = 1;
/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 64 << 10;

#[derive(Serialize, Deserialize)]
struct Written {
    format: u8,
    deploy: String,
}

/// The file, below `DOKKU_LIB_ROOT`.
pub(crate) fn witness(app: &AppName) -> PathBuf {
    Path::new("data").join(PLUGIN).join(app.as_str()).join(FILE)
}

/// The deploy that was committed last; `None` before the first one.
///
/// # Errors
/// The file cannot be read, or is of another version.
pub(crate) fn read(world: &World, app: &AppName) -> Result<Option<String>, Error> {
    let path = world.lib().join(witness(app));
    let failed = |reason: String| Error::Backend { context: format!("read {}", path.display()), reason };
    let json = match durable::state(&path, MAX_BYTES) {
        Ok(json) => json,
        Err(ReadError::Missing) => return Ok(None),
        Err(error) => return Err(failed(error.to_string())),
    };
    let written: Written = serde_json::from_slice(&json).map_err(|error| failed(error.to_string()))?;
    match written.format {
        FORMAT => Ok(Some(written.deploy)),
        other => {
            Err(failed(format!("it has the format {other}, which only a later version of Formation reads")))
        }
    }
}

/// Commits a deploy.
pub(crate) fn write(world: &World, app: &AppName, deploy: &str) -> Result<(), Error> {
    let failed = |reason: String| Error::Backend { context: format!("commit the deploy of {app}"), reason };
    let json = serde_json::to_vec(&Written { format: FORMAT, deploy: deploy.to_owned() });
    let mut json = json.expect("a record is plain data");
    json.push(b'\n');
    let directory = Directory::open(world.lib(), &world.data_dir(PLUGIN, app));
    let directory = directory.map_err(|error| failed(error.to_string()))?;
    let written = directory.write(FILE, &json, world.access(Scope::App(app)));
    written.map_err(|error| failed(error.to_string()))
}

/// Removes the file, and its directory.
pub(crate) fn forget(world: &World, app: &AppName) -> Result<(), Error> {
    let path = world.data_dir(PLUGIN, app);
    if !path.is_dir() {
        return Ok(());
    }
    let failed = |reason: String| Error::Backend { context: format!("remove {}", path.display()), reason };
    let directory = Directory::open(world.lib(), &path).map_err(|error| failed(error.to_string()))?;
    directory.remove(FILE).map_err(|error| failed(error.to_string()))?;
    directory.abandon();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_committed_is_known_until_it_is_forgotten() {
        let place = tempfile::tempdir().expect("a directory");
        let (world, app) = (World::new(place.path(), place.path()), "shop".parse().expect("a name"));
        assert_eq!(read(&world, &app).expect("reads"), None);
        write(&world, &app, "one").expect("writes");
        assert_eq!(read(&world, &app).expect("reads").as_deref(), Some("one"));
        let path = place.path().join(witness(&app));
        std::fs::write(&path, r#"{"format": 2, "deploy": "two"}"#).expect("writes");
        let error = read(&world, &app).expect_err("another version").to_string();
        assert!(error.contains("format 2"), "{error}");
        forget(&world, &app).expect("removes");
        assert_eq!(read(&world, &app).expect("reads"), None);
        assert!(!path.parent().expect("a directory").exists());
    }
}
