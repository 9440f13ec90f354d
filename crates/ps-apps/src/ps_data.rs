//! What ps keeps about an app, as far as Dokku's `apps` plugin has it made and removed: a data directory and the ps
//! properties (contract 3.2, `post-create` and `post-delete`). The app's own directory is not touched.

use formation::AppName;

use crate::apps::remove_tree;
use crate::property::Scope;
use crate::{Error, StoredFormation, World, durable};

impl World {
    /// Makes the data directory of an app and the formation `web=1`; what is there stays as it is. The app's own
    /// directory need not be there yet.
    pub fn create_ps_data(&self, app: &AppName) -> Result<(), Error> {
        durable::create_below(self.lib(), &self.data_dir("ps", app))?;
        let is_new = self.formation(app)? == StoredFormation::default();
        if is_new { self.create_formation(app) } else { Ok(()) }
    }

    /// Removes the data directory and every ps property of an app; what is not there is success.
    pub fn remove_ps_data(&self, app: &AppName) -> Result<(), Error> {
        remove_tree(&self.data_dir("ps", app))?;
        remove_tree(&self.config_dir("ps", Scope::App(app)))
    }
}
