//! Where the environment of an app is stored: `config/<app>/ENV`, and `config/--global/ENV` for all apps. Both are env files
//! (docs/dotenv.md).

use std::path::PathBuf;

use formation::AppName;

use crate::World;

impl World {
    /// `config/<app>/ENV`; the file need not exist.
    pub fn env_path(&self, app: &AppName) -> PathBuf {
        self.lib().join("config").join(app.as_str()).join("ENV")
    }

    /// `config/--global/ENV`, the environment of every app; the file need not exist.
    pub fn global_env_path(&self) -> PathBuf {
        self.lib().join("config").join("--global").join("ENV")
    }
}
