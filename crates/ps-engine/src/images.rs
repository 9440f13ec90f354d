//! Lists, names and removes images of the engine.

use std::collections::HashMap;
use std::time::Duration;

use bollard::models::ContainerConfig;
use bollard::query_parameters::{
    CommitContainerOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder,
    TagImageOptionsBuilder,
};

use crate::deadline::{HEAVY, SHORT};
use crate::{Engine, Fault};

/// How long the engine may take to copy the changes of a container.
const COPYING: Duration = Duration::from_secs(600);

/// What an engine older than 24.0 lists as the name of an image that has none.
const NAMELESS: &str = "<none>:<none>";

/// One row of the engine's list of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedImage {
    /// Its id, `sha256:…`.
    pub id: String,
    /// Its names, `repository:tag` each; empty if it was never named or its names were given to other images.
    pub names: Vec<String>,
    /// When it was made, counted from 1970.
    pub created: Duration,
    /// How much room it takes, in bytes.
    pub size: u64,
}

impl Engine {
    /// The images that have a name in this repository, or all of these labels (`name` or `name=value`); if both are empty, all
    /// images.
    pub async fn images(&self, repository: &str, labels: &[String]) -> Result<Vec<ListedImage>, Fault> {
        let mut filters = HashMap::new();
        if !repository.is_empty() {
            filters.insert("reference", vec![repository.to_owned()]);
        }
        if !labels.is_empty() {
            filters.insert("label", labels.to_vec());
        }
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let listed = self.within("list images", SHORT, self.docker.list_images(Some(options))).await?;
        let row = |image: bollard::models::ImageSummary| ListedImage {
            id: image.id,
            names: image.repo_tags.into_iter().filter(|name| name != NAMELESS).collect(),
            created: Duration::from_secs(image.created.try_into().unwrap_or(0)),
            size: image.size.try_into().unwrap_or(0),
        };
        Ok(listed.into_iter().map(row).collect())
    }

    /// Makes an image of a container in its present state, with these Dockerfile instructions applied; returns its id.
    pub async fn commit(&self, container: &str, instructions: &[String]) -> Result<String, Fault> {
        let options = CommitContainerOptionsBuilder::new().container(container).pause(false);
        let options = options.changes(&instructions.join("\n")).build();
        let made = self.docker.commit_container(options, ContainerConfig::default());
        Ok(self.within("make an image of a container", COPYING, made).await?.id)
    }

    /// Gives an image one more name.
    pub async fn name_image(&self, id: &str, name: &str, tag: &str) -> Result<(), Fault> {
        let options = TagImageOptionsBuilder::new().repo(name).tag(tag).build();
        self.within("name an image", SHORT, self.docker.tag_image(id, Some(options))).await
    }

    /// Removes an image, or one of its names if it has several. A missing image is no error. With `parents`, the images that
    /// it was built from are removed too, unless they have a name or another image is built from them.
    pub async fn remove_image(&self, name: &str, parents: bool) -> Result<(), Fault> {
        let options = RemoveImageOptionsBuilder::new().noprune(!parents).build();
        let removed = self.docker.remove_image(name, Some(options), None);
        match self.within("remove an image", HEAVY, removed).await {
            Err(fault) if fault.is_gone() => Ok(()),
            result => result.map(drop),
        }
    }
}
