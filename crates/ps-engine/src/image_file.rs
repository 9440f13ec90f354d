//! Reads a file of an image without running the image: a container is created, never started, and removed.

use std::collections::HashMap;
use std::io::Read;

use crate::{Engine, Fault, Image, ImageKind};

/// The directory in which buildpacks put an app, whatever the working directory of the image is.
const OF_BUILDPACKS: &str = "/workspace";
const OF_HEROKUISH: &str = "/app";
/// The largest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// The largest archive that is read, in bytes: the file, and the headers around it.
const MAX_ARCHIVE: usize = 2 << 20;

impl Engine {
    /// The contents of regular files of an image, in the order asked. Of a file over 1 MiB, one byte more than that is returned.
    /// `None` if the image has no such file. A path that does not begin with `/` is relative to the directory in which the image's
    /// processes start. The container that is made for this has the given name and labels.
    pub async fn image_files(
        &self,
        image: &str,
        paths: &[&str],
        name: &str,
        labels: HashMap<String, String>,
    ) -> Result<Vec<Option<Vec<u8>>>, Fault> {
        let place = base(&self.image(image).await?);
        let id = self.image_reader(image, name, labels).await?;
        let mut files = Vec::new();
        for path in paths {
            let path = if path.starts_with('/') {
                (*path).to_owned()
            } else {
                format!("{}/{path}", place.trim_end_matches('/'))
            };
            files.push(self.archive(&id, &path, MAX_ARCHIVE).await);
        }
        self.remove(&id).await?;
        let content = |archive: Result<Vec<u8>, Fault>| match archive {
            Err(fault) if fault.is_gone() => Ok(None),
            archive => Ok(first_file(&archive?)),
        };
        files.into_iter().map(content).collect()
    }
}

/// The directory from which relative paths start.
fn base(image: &Image) -> String {
    match ImageKind::of(image) {
        ImageKind::Buildpacks => OF_BUILDPACKS.to_owned(),
        ImageKind::Herokuish => OF_HEROKUISH.to_owned(),
        ImageKind::Plain => image.directory.clone(),
    }
}

fn first_file(archive: &[u8]) -> Option<Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let file = archive.entries().ok()?.next()?.ok()?;
    if !file.header().entry_type().is_file() {
        return None;
    }
    let mut content = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut content).ok()?;
    Some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(labels: &[(&str, &str)], environment: &[&str], directory: &str) -> Image {
        let labels: HashMap<_, _> = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let environment = environment.iter().map(|entry| (*entry).to_owned()).collect();
        Image {
            id: String::new(),
            digests: Vec::new(),
            labels,
            entrypoint: Vec::new(),
            command: Vec::new(),
            environment,
            directory: directory.to_owned(),
            stop_signal: None,
        }
    }

    #[test]
    fn paths_are_meant_from_where_the_builder_puts_apps_else_from_the_workdir() {
        assert_eq!(base(&image(&[("io.buildpacks.stack.id", "x")], &[], "/layers")), "/workspace");
        assert_eq!(base(&image(&[], &["A=1", "USER=herokuishuser"], "/x")), "/app");
        assert_eq!(base(&image(&[], &["USER=app"], "/srv/app")), "/srv/app");
        assert_eq!(base(&image(&[], &[], "")), "");
    }

    #[test]
    fn only_a_regular_file_is_a_file() {
        let archive_of = |kind: tar::EntryType, content: &[u8]| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_size(content.len() as u64);
            let mut builder = tar::Builder::new(Vec::new());
            builder.append_data(&mut header, "Procfile", content).expect("an entry");
            builder.into_inner().expect("an archive")
        };
        assert_eq!(
            first_file(&archive_of(tar::EntryType::Regular, b"web: a\n")).as_deref(),
            Some(&b"web: a\n"[..])
        );
        assert_eq!(first_file(&archive_of(tar::EntryType::Directory, b"")), None);
        assert_eq!(first_file(b"no archive"), None);
    }
}
