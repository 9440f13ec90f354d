//! The credentials for an app's registries, which are in a config.json as Docker writes it. Dokku's `registry:login APP` writes one for an app,
//! `config/registry/<app>/config.json`, which takes precedence over the usual one if it names a registry.

use std::path::{Path, PathBuf};

use formation::AppName;
use registry_logins::{Logins, Unread};
use serde_json::Value;

use crate::{Scope, World, variable};

const FILE: &str = "config.json";
/// The plugin of Dokku to which that directory belongs.
const PLUGIN: &str = "registry";
/// The size limit for a file of credentials, in bytes.
const MAX_BYTES: u64 = 1 << 20;

impl World {
    /// The credentials for the images of an app: those of its own config.json, or else of the config.json in `DOCKER_CONFIG`, or else of the
    /// user's: inside Dokku in `$DOKKU_ROOT/.docker`, elsewhere in `$HOME/.docker`. Without such a file there are none.
    ///
    /// # Errors
    /// The file cannot be read, or is not JSON.
    pub fn registry_logins(&self, app: &AppName) -> Result<Logins, Unread> {
        let own = self.config_dir(PLUGIN, Scope::App(app)).join(FILE);
        if has_registry(&own) {
            return Logins::read(&own).map(Logins::elsewhere);
        }
        let named = variable("DOCKER_CONFIG").map(PathBuf::from);
        let home = || {
            let dokkus = self.inside_dokku().then(|| self.root().to_owned());
            Some(dokkus.or_else(|| variable("HOME").map(PathBuf::from))?.join(".docker"))
        };
        match named.or_else(home) {
            Some(directory) => Logins::read(&directory.join(FILE)),
            None => Ok(Logins::default()),
        }
    }
}

/// Whether a file names a registry. A file that cannot be read names none, as in Dokku.
fn has_registry(file: &Path) -> bool {
    let json = durable::input(file, MAX_BYTES).ok();
    let json: Option<Value> = json.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    json.and_then(|json| json["auths"].as_object().map(|auths| !auths.is_empty())).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn an_app_that_has_logged_in_has_a_login_of_its_own() {
        let dir = tempfile::tempdir().expect("a directory");
        let world = World::new(dir.path().join("home"), dir.path().join("lib"));
        let own = dir.path().join("lib/config/registry/shop/config.json");
        fs::create_dir_all(own.parent().expect("a directory")).expect("made");
        let has_login = |app: &str| {
            let app = app.parse().expect("a name");
            world.registry_logins(&app).is_ok_and(|logins| logins.header("formation-test.example").is_some())
        };
        for text in ["{}", r#"{"auths": {}}"#, "{"] {
            fs::write(&own, text).expect("written");
            assert!(!has_login("shop"), "{text}");
        }
        let text = r#"{"auths": {"formation-test.example": {"username": "ann", "password": "x"}}}"#;
        fs::write(&own, text).expect("written");
        assert_eq!((has_login("shop"), has_login("other")), (true, false));
        let logins = world.registry_logins(&"shop".parse().expect("a name")).expect("is read");
        let advice = logins.advice("unauthorized", "formation-test.example");
        let command = format!("docker --config {} login", own.with_file_name("").display());
        assert!(advice.contains(command.trim_end_matches("/ login")), "{advice}");
    }
}
