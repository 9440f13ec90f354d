//! Images that were built for an app and are no longer needed.

use std::collections::BTreeSet;

use formation::AppName;
use ps_engine::{Fault, ListedImage};
use ps_scheduler::Error;

use crate::docker_local::DockerLocal;
use crate::failed::failed;
use crate::label;

impl DockerLocal {
    /// Removes the images that were built for an app, except those with these ids, and returns the names of the removed ones. An image in use
    /// stays, and so does every name that a person or another program has given to an image. An image without a name is returned by its id:
    /// its deploy died before it was named.
    pub fn forget_images(&self, app: &AppName, needed: &BTreeSet<String>) -> Result<Vec<String>, Error> {
        let engine = self.engine()?;
        let (name, value) = label::of_app(self.world().root(), app);
        let listed = engine.run(engine.images("", &[format!("{name}={value}")]));
        let listed = listed.map_err(|fault| failed(fault, format!("list the images of {app}")))?;
        let ours = format!("{}:", label::image_repository(app));
        let mut removed = Vec::new();
        for ListedImage { id, names, .. } in listed {
            if needed.contains(&id) {
                continue;
            }
            let named = names.iter().filter(|name| name.starts_with(&ours)).cloned();
            let all: Vec<String> = if names.is_empty() { vec![id] } else { named.collect() };
            for name in all {
                match engine.run(engine.remove_image(&name, true)) {
                    Ok(()) => removed.push(name),
                    // A container was made from the image.
                    Err(Fault::Refused { .. }) => {}
                    Err(fault) => return Err(failed(fault, format!("remove the image {name}"))),
                }
            }
        }
        Ok(removed)
    }

    /// Removes the images and the network of an app. No container of the app may exist any more.
    pub fn forget_app(&self, app: &AppName) -> Result<(), Error> {
        self.forget_images(app, &BTreeSet::new())?;
        self.remove_network(app)
    }
}
