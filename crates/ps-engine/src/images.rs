//! The images that the engine has: naming, listing and removing them.

use std::collections::HashMap;
use std::time::Duration;

use bollard::query_parameters::{
    ListImagesOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};

use crate::engine::SHORT;
use crate::{Engine, Fault};

/// For calls that remove layers.
const HEAVY: Duration = Duration::from_secs(60);

impl Engine {
    /// All images with all of these labels (`name` or `name=value`): the id of each, and its names.
    pub async fn images(&self, labels: &[String]) -> Result<Vec<(String, Vec<String>)>, Fault> {
        let filters = HashMap::from([("label", labels.to_vec())]);
        let options = ListImagesOptionsBuilder::new().filters(&filters).build();
        let listed = self.within("list images", SHORT, self.docker.list_images(Some(options))).await?;
        Ok(listed.into_iter().map(|image| (image.id, image.repo_tags)).collect())
    }

    /// Gives an image a name.
    pub async fn name_image(&self, id: &str, name: &str, tag: &str) -> Result<(), Fault> {
        let options = TagImageOptionsBuilder::new().repo(name).tag(tag).build();
        self.within("name an image", SHORT, self.docker.tag_image(id, Some(options))).await
    }

    /// Removes an image, or one of its names if it has several. One that is gone is success. With `parents`, those that it was
    /// built from go too, unless they have a name or something else is built from them.
    pub async fn remove_image(&self, name: &str, parents: bool) -> Result<(), Fault> {
        let options = RemoveImageOptionsBuilder::new().noprune(!parents).build();
        let removed = self.docker.remove_image(name, Some(options), None);
        match self.within("remove an image", HEAVY, removed).await {
            Err(fault) if fault.is_gone() => Ok(()),
            result => result.map(drop),
        }
    }
}
