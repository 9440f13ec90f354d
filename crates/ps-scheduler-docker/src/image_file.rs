//! Reads a file of an app's image without running anything from it.

use std::hash::{BuildHasher, RandomState};

use formation::AppName;
use ps_scheduler::Error;

use crate::docker_local::DockerLocal;
use crate::failed::failed;
use crate::label;

impl DockerLocal {
    /// The content of a regular file of an image. Of a file over 1 MiB, one byte more than that is returned. `None` if
    /// there is no such file. `path` is relative to the image's working directory.
    pub fn image_file(&self, app: &AppName, image: &str, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let engine = self.engine()?;
        let labels = [(label::APP, app.as_str()), ("org.label-schema.vendor", "dokku"), ("dokku", "")];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        let random = RandomState::new().hash_one(path) % 1_000_000_000;
        let name = format!("{app}.reading-{random}");
        let read = engine.run(engine.image_file(image, path, &name, labels));
        read.map_err(|fault| failed(fault, format!("read {path} from the image {image}")))
    }
}
