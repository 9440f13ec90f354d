//! The network of an app whose process types are the services of a Compose file: there each finds the others by their names.

use std::path::Path;

use formation::AppName;
use ps_engine::Fault;
use ps_scheduler::{Error, Release, Source};

use crate::app::App;
use crate::docker_local::DockerLocal;
use crate::failed::failed;
use crate::label;

/// Its name: two worlds on one engine do not share it.
pub(crate) fn name(root: &Path, app: &AppName) -> String {
    format!("formation-{app}-{:08x}", label::fold(&root.display().to_string()) & 0xffff_ffff)
}

impl App<'_> {
    /// Makes the network where the release needs one and it is not there.
    pub(crate) fn ensure_network(&self, release: &Release) -> Result<(), Error> {
        let Source::Services(_) = &release.source else { return Ok(()) };
        let name = name(self.world.root(), self.name);
        let labels = [label::of_app(self.world.root(), self.name)].into();
        let made = self.engine.run(self.engine.make_network(&name, labels));
        made.map_err(|fault| self.error(fault, &format!("make the network {name}")))
    }
}

impl DockerLocal {
    /// Removes the network of an app. One that is gone, or that somebody else uses, is left alone.
    pub(crate) fn remove_network(&self, app: &AppName) -> Result<(), Error> {
        let engine = self.engine()?;
        let name = name(self.world().root(), app);
        match engine.run(engine.remove_network(&name)) {
            Ok(()) | Err(Fault::Refused { .. }) => Ok(()),
            Err(fault) => Err(failed(fault, format!("remove the network {name}"))),
        }
    }
}
