//! Reads files of an app's image without running anything in it. The container that is created for it belongs to the
//! reading process. If that process has died, the container is removed by the next reader, and when the app is retired
//! or destroyed.

use std::hash::{BuildHasher, RandomState};

use formation::AppName;
use ps_apps::World;
use ps_engine::{Engine, Fault};
use ps_scheduler::Error;

use crate::docker_local::DockerLocal;
use crate::failed::failed;
use crate::label;

impl DockerLocal {
    /// The id of the image of that name; `None` if the engine has no such image.
    pub fn image_id(&self, image: &str) -> Result<Option<String>, Error> {
        let engine = self.engine()?;
        match engine.run(engine.image(image)) {
            Ok(image) => Ok(Some(image.id)),
            Err(fault) if fault.is_gone() => Ok(None),
            Err(fault) => Err(failed(fault, format!("look at the image {image}"))),
        }
    }

    /// The content of a regular file of an image. Of a file over 1 MiB, one byte more than that is returned. `None` if
    /// there is no such file. `path` is relative to the image's working directory.
    pub fn image_file(&self, app: &AppName, image: &str, path: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.image_files(app, image, &[path.trim_start_matches('/')])?.pop().flatten())
    }

    /// As [`DockerLocal::image_file`], for several files, in their order. A path that begins with `/` begins at the
    /// root of the image.
    pub fn image_files(
        &self,
        app: &AppName,
        image: &str,
        paths: &[&str],
    ) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let engine = self.engine()?;
        let root = self.world().root().display().to_string();
        let labels = [
            (label::ROOT, root.as_str()),
            (label::APP, app.as_str()),
            ("org.label-schema.vendor", "dokku"),
            ("dokku", ""),
        ];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let random = RandomState::new().hash_one(paths) % 1_000_000_000;
        let name = format!("{app}.reading-{random}");
        let read = engine.run(async {
            forget_dead_readers(engine, self.world(), Some(app)).await?;
            engine.image_files(image, paths, &name, labels).await
        });
        read.map_err(|fault| failed(fault, format!("read {} from the image {image}", paths.join(", "))))
    }
}

/// Removes the containers of dead readers, of one app or of all apps of this world, and returns their names.
pub(crate) async fn forget_dead_readers(
    engine: &Engine,
    world: &World,
    app: Option<&AppName>,
) -> Result<Vec<String>, Fault> {
    let root = format!("{}={}", label::ROOT, world.root().display());
    let of_app = app.map(|app| format!("{}={app}", label::APP));
    let labels: Vec<String> = [root].into_iter().chain(of_app).collect();
    engine.forget_dead_readers(&labels).await
}
