//! The files of the ps plugin about an app: the directory `data/ps/<app>` and the ps properties. Dokku's `apps` plugin has
//! them created and removed by the triggers `post-create` and `post-delete` (docs/dokku.md#triggers). The app's own directory
//! belongs to the `apps` plugin and is not touched here.

use formation::AppName;

use crate::apps::remove_tree;
use crate::scope::Scope;
use crate::{Error, StoredFormation, World};

impl World {
    /// Makes the data directory of an app and the formation `web=1`; existing files stay unchanged. The app's
    /// own directory need not exist yet.
    pub fn create_ps_data(&self, app: &AppName) -> Result<(), Error> {
        durable::create_below(self.lib(), &self.data_dir("ps", app))?;
        let is_new = self.formation(app)? == StoredFormation::default();
        if is_new { self.create_formation(app) } else { Ok(()) }
    }

    /// Removes the files that Formation itself keeps about an app; success also if there are none.
    pub fn forget_kept(&self, app: &AppName) -> Result<(), Error> {
        remove_tree(&self.kept_dir(app))
    }

    /// Removes the data directory and every ps property of an app, and the files that Formation itself keeps; success also if
    /// there are none.
    pub fn remove_ps_data(&self, app: &AppName) -> Result<(), Error> {
        self.forget_kept(app)?;
        remove_tree(&self.data_dir("ps", app))?;
        remove_tree(&self.config_dir("ps", Scope::App(app)))
    }
}
