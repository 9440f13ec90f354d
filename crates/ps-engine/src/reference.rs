//! The name of an image: its registry, and the image there.

/// The parts of a name such as `shop`, `registry.example:5000/team/shop:7` or `shop@sha256:…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The name without tag and digest, as it was written.
    pub name: String,
    /// The tag; `latest` if neither tag nor digest was written.
    pub tag: Option<String>,
    /// The digest, `sha256:…`.
    pub digest: Option<String>,
}

/// The registry of names without one.
const DOCKER_HUB: &str = "docker.io";

impl Reference {
    /// Splits a name into its parts. Whether it is legal is left to the engine.
    pub fn of(text: &str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (text, None),
        };
        // A colon before the last slash belongs to the port of the registry.
        let name_end = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[name_end..].find(':') {
            Some(colon) => (&rest[..name_end + colon], Some(rest[name_end + colon + 1..].to_owned())),
            None => (rest, None),
        };
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        Self { name: name.to_owned(), tag, digest }
    }

    /// The host of the registry that has the image of this name; `None` for an id, `sha256:…`, by which no registry knows an image.
    pub fn registry_of(image: &str) -> Option<String> {
        let is_name = !image.is_empty() && !image.starts_with("sha256:");
        is_name.then(|| Self::of(image).registry().to_owned())
    }

    /// The host of the registry, with its port.
    pub fn registry(&self) -> &str {
        let first = self.name.split_once('/').map(|(first, _)| first);
        let is_host = |first: &&str| first.contains(['.', ':']) || *first == "localhost";
        first.filter(is_host).unwrap_or(DOCKER_HUB)
    }

    /// The name as the engine writes it in lists of digests: names of Docker Hub without that registry, and without `library/`.
    pub(crate) fn familiar(&self) -> &str {
        let name = self.name.strip_prefix("docker.io/").unwrap_or(&self.name);
        let name = name.strip_prefix("index.docker.io/").unwrap_or(name);
        if self.registry().ends_with(DOCKER_HUB) {
            name.strip_prefix("library/").unwrap_or(name)
        } else {
            name
        }
    }

    /// The version that the engine is asked to pull: the digest, or else the tag.
    pub(crate) fn version(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_of_no_registry() {
        assert_eq!(Reference::registry_of("r.example/shop:1").as_deref(), Some("r.example"));
        assert_eq!([Reference::registry_of("sha256:00"), Reference::registry_of("")], [None, None]);
    }

    #[test]
    fn a_name_has_a_registry_a_tag_and_a_digest() {
        let parts = |text: &str| {
            let read = Reference::of(text);
            (read.registry().to_owned(), read.familiar().to_owned(), read.version().to_owned())
        };
        for (text, registry, familiar, version) in [
            ("busybox", "docker.io", "busybox", "latest"),
            ("docker.io/library/busybox:1", "docker.io", "busybox", "1"),
            ("team/shop:7", "docker.io", "team/shop", "7"),
            ("localhost/shop", "localhost", "localhost/shop", "latest"),
            ("127.0.0.1:5000/shop", "127.0.0.1:5000", "127.0.0.1:5000/shop", "latest"),
            (
                "registry.example:5000/a/b:x@sha256:00",
                "registry.example:5000",
                "registry.example:5000/a/b",
                "sha256:00",
            ),
        ] {
            assert_eq!(parts(text), (registry.into(), familiar.into(), version.into()), "{text}");
        }
    }
}
