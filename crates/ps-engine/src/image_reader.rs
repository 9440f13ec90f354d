//! A container that is created only so that a process can read files of an image from it. It never starts, and belongs to that process. If
//! the process has died, the next process that reads an image removes the container.

use std::collections::HashMap;
use std::path::Path;

use bollard::models::ContainerCreateBody;

use crate::{Container, Engine, Fault};

/// The label of a container that is only read from: the pid of the process that reads.
pub const READER: &str = "com.formation.reader";
/// The command of the container. The engine refuses to create a container without a command, and an image need not have one.
const NEVER_RUN: &str = "/never-run";

impl Engine {
    /// Creates a container that is only read from, with this name and these labels, [`READER`] among them. Returns its id.
    pub(crate) async fn image_reader(
        &self,
        image: &str,
        name: &str,
        labels: HashMap<String, String>,
    ) -> Result<String, Fault> {
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            cmd: Some(vec![NEVER_RUN.to_owned()]),
            labels: Some(labels),
            ..ContainerCreateBody::default()
        };
        self.create(name, body).await
    }

    /// Removes the containers with these labels (`name=value`) whose processes have died. Returns their names.
    ///
    /// # Errors
    /// The engine does not answer, or refuses.
    pub async fn forget_dead_readers(&self, labels: &[String]) -> Result<Vec<String>, Fault> {
        let labels: Vec<String> = labels.iter().cloned().chain([READER.to_owned()]).collect();
        let mut forgotten = Vec::new();
        for container in self.list(&labels).await?.into_iter().filter(|container| !is_read(container)) {
            self.remove(&container.id).await?;
            forgotten.push(container.name);
        }
        Ok(forgotten)
    }
}

/// Whether the reading process lives. If another process has got the same pid, the answer is wrong, and a later reader removes the
/// container.
fn is_read(container: &Container) -> bool {
    let reader = container.label(READER).and_then(|pid| pid.parse::<u32>().ok());
    reader.is_some_and(|pid| Path::new("/proc").join(pid.to_string()).exists())
}
