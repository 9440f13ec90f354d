//! An empty image for a native app, because Dokku deploys nothing without an image.

use formation::AppName;
use ps_scheduler::Error;

use crate::docker_local::DockerLocal;
use crate::failed::failed;
use crate::label;

const TAG: &str = "latest";
/// The content of an empty tar archive, which is just its end.
const NOTHING: [u8; 1024] = [0; 1024];

impl DockerLocal {
    /// Makes the empty image `dokku/<app>:latest`, with the labels by which Dokku recognises its images.
    pub fn stand_in_image(&self, app: &AppName) -> Result<(), Error> {
        let engine = self.engine()?;
        let name = format!("dokku/{app}");
        // With the label of a released image, Dokku tags this image again if a later build fails.
        let labels = [
            format!("{}={app}", label::APP),
            "com.dokku.builder-type=null".to_owned(),
            "com.dokku.image-stage=release".to_owned(),
            "dokku=".to_owned(),
        ];
        let imported = engine.run(engine.import(&name, TAG, &NOTHING, &labels));
        imported.map_err(|fault| failed(fault, format!("make the empty image {name}:{TAG}")))
    }
}
