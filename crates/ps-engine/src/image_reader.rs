//! A container that is created only so that a process can read files of an image from it. It never starts, and belongs to that process. If
//! the process has died, the next process that reads an image removes the container.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use bollard::models::ContainerCreateBody;
use jiff::{SignedDuration, Timestamp};

use crate::{Container, Engine, Fault};

/// The label of a container that is only read from: the pid of the process that reads.
const READER: &str = "com.formation.reader";
/// A label beside it: what tells the pid from an equal one of another machine, another pid namespace or another time.
const READER_PLACE: &str = "com.formation.reader-place";
/// A process that cannot be seen from here is taken to live for this long after it created its container. Reading takes seconds.
const UNSEEN: Duration = Duration::from_secs(60 * 60);
/// The command of the container. The engine refuses to create a container without a command, and an image need not have one.
const NEVER_RUN: &str = "/never-run";

impl Engine {
    /// Creates a container that is only read from by this process, with this name and these labels. Returns its id.
    pub(crate) async fn image_reader(
        &self,
        image: &str,
        name: &str,
        mut labels: HashMap<String, String>,
    ) -> Result<String, Fault> {
        let own = std::process::id();
        labels.insert(READER.to_owned(), own.to_string());
        labels.extend(place_of(own).map(|place| (READER_PLACE.to_owned(), place)));
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

/// Whether the reading process lives.
fn is_read(container: &Container) -> bool {
    let pid = container.label(READER).and_then(|pid| pid.parse::<u32>().ok());
    let age = Timestamp::now()
        .as_duration()
        .saturating_sub(SignedDuration::try_from(container.created).unwrap_or_default());
    pid.is_some_and(|pid| lives(pid, container.label(READER_PLACE), age))
}

/// Whether the process lives that created a container this long ago. Of a process of another machine or another pid namespace that cannot be
/// known. A container of an earlier version does not name the place: there any process with the same pid counts.
fn lives(pid: u32, place: Option<&str>, age: SignedDuration) -> bool {
    let Some(place) = place else { return os_process::start_time(pid).is_some() };
    let is_ours = namespace().is_some_and(|own| place.starts_with(&own));
    if is_ours {
        place_of(pid).as_deref() == Some(place)
    } else {
        age < SignedDuration::try_from(UNSEEN).unwrap_or_default()
    }
}

/// The boot and the pid namespace in which this process lives, as the beginning of a label.
fn namespace() -> Option<String> {
    let namespace = fs::metadata("/proc/self/ns/pid").ok()?;
    Some(format!("{}/{}:{}/", os_process::boot_id(), namespace.dev(), namespace.ino()))
}

/// What tells the process with that pid from all others; `None`: there is none, or the kernel does not say.
fn place_of(pid: u32) -> Option<String> {
    Some(format!("{}{}", namespace()?, os_process::start_time(pid)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const YOUNG: SignedDuration = SignedDuration::from_secs(5);
    const OLD: SignedDuration = SignedDuration::from_hours(2);

    #[test]
    fn a_reader_lives_if_it_is_the_very_process_and_one_that_cannot_be_seen_lives_for_an_hour() {
        let own = std::process::id();
        let place = place_of(own).expect("we live");
        assert!(lives(own, Some(&place), OLD), "it may read for long");
        let earlier = format!("{place}0");
        assert!(!lives(own, Some(&earlier), YOUNG), "another process had our pid");
        assert!(!lives(u32::MAX, Some(&place), YOUNG), "there is no such process");
        for elsewhere in ["another-boot/4:1/17".to_owned(), format!("{}/0:0/17", os_process::boot_id())] {
            assert!(lives(u32::MAX, Some(&elsewhere), YOUNG), "{elsewhere}");
            assert!(!lives(own, Some(&elsewhere), OLD), "{elsewhere}");
        }
        assert!(
            lives(own, None, OLD) && !lives(u32::MAX, None, YOUNG),
            "an earlier version wrote the pid alone"
        );
    }
}
