//! The tags of an app's images: their names in the app's repository. Inside Dokku that is `dokku/<app>`. Outside it is a repository that
//! nobody else uses, so that an app of the same name in a Dokku on this machine keeps its images.

use std::time::Duration;

use formation::AppName;
use ps_engine::{Container, ListedImage};
use ps_scheduler::Error;

use crate::docker_local::DockerLocal;
use crate::failed::failed;
use crate::{app, label};

/// The tag that every deploy inside Dokku gives to its image.
const LATEST: &str = "latest";

/// One tag of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageTag {
    /// The repository of the app's tags.
    pub repository: String,
    /// The tag.
    pub tag: String,
    /// The id of its image, `sha256:…`.
    pub id: String,
    /// When the image was made, counted from 1970.
    pub created: Duration,
    /// How much room the image takes, in bytes.
    pub size: u64,
}

impl DockerLocal {
    /// The repository of an app's tags.
    pub fn repository(&self, app: &AppName) -> String {
        let owner = if self.world().inside_dokku() { "dokku" } else { "formation-tags" };
        format!("{owner}/{app}")
    }

    /// The tags of an app, the newest image first.
    pub fn tags(&self, app: &AppName) -> Result<Vec<ImageTag>, Error> {
        let repository = self.repository(app);
        let engine = self.engine()?;
        let images = engine.run(engine.images(&repository, &[]));
        let images = images.map_err(|fault| failed(fault, format!("list the images of {app}")))?;
        let mut tags: Vec<ImageTag> = images.iter().flat_map(|image| tags_of(&repository, image)).collect();
        tags.sort_by(|one, other| (other.created, &one.tag).cmp(&(one.created, &other.tag)));
        Ok(tags)
    }

    /// Gives the tag to an image. The caller has checked that the image exists.
    pub fn tag(&self, app: &AppName, image: &str, tag: &str) -> Result<(), Error> {
        let engine = self.engine()?;
        let tagged = engine.run(engine.name_image(image, &self.repository(app), tag));
        tagged.map_err(|fault| failed(fault, format!("tag the image of {app}")))
    }

    /// The id of the image that the app's containers were made from, the latest one if there are several; `None` if the app has no
    /// container.
    pub fn running_image(&self, app: &AppName) -> Result<Option<String>, Error> {
        let records = app::records(self.world(), app)?;
        let containers = self.containers(app)?;
        let recorded = containers.into_iter().filter(|container| records.contains(&container.id));
        Ok(recorded.max_by_key(|container| container.created).map(|container| container.image_id))
    }

    /// Why a tag must not be removed: the next deploy uses it, or its image would be removed although it is needed. `kept` are the images of
    /// kept releases, and `deployed` is the name by which the app was deployed.
    pub fn need_of(
        &self,
        app: &AppName,
        tag: &ImageTag,
        kept: &[String],
        deployed: Option<&str>,
    ) -> Result<Option<String>, Error> {
        if tag.tag == LATEST {
            return Ok(Some("the next deploy uses it".to_owned()));
        }
        let name = format!("{}:{}", tag.repository, tag.tag);
        let is_last_name = self.tags(app)?.iter().filter(|other| other.id == tag.id).count() == 1;
        // A container names its image by the id, so only the record of the deploy says which tag was used.
        let is_it = is_last_name || deployed == Some(name.as_str());
        let needs =
            |container: &Container| container.image == name || (is_it && container.image_id == tag.id);
        if let Some(container) = self.containers(app)?.into_iter().find(needs) {
            return Ok(Some(format!("{} runs it", container.name)));
        }
        let is_kept = is_last_name && kept.contains(&tag.id);
        Ok(is_kept.then(|| "a release that is kept needs its image".to_owned()))
    }

    /// Removes a tag. If the image has no other name, it is removed, too.
    pub fn untag(&self, app: &AppName, tag: &str) -> Result<(), Error> {
        let engine = self.engine()?;
        let name = format!("{}:{tag}", self.repository(app));
        let removed = engine.run(engine.remove_image(&name, true));
        removed.map_err(|fault| failed(fault, format!("remove the tag {tag} of {app}")))
    }

    /// All containers of the app, of every kind.
    fn containers(&self, app: &AppName) -> Result<Vec<Container>, Error> {
        let engine = self.engine()?;
        let listed = engine.run(engine.list(&[format!("{}={app}", label::APP)]));
        listed.map_err(|fault| failed(fault, format!("list the containers of {app}")))
    }
}

fn tags_of<'a>(repository: &'a str, image: &'a ListedImage) -> impl Iterator<Item = ImageTag> + 'a {
    let tags = image.names.iter().filter_map(move |name| name.strip_prefix(repository)?.strip_prefix(':'));
    tags.map(|tag| ImageTag {
        repository: repository.to_owned(),
        tag: tag.to_owned(),
        id: image.id.clone(),
        created: image.created,
        size: image.size,
    })
}
