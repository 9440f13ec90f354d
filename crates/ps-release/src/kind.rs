//! The kinds of sources, with the names under which they are recorded.

use std::path::PathBuf;

use ps_apps::SourceRecord;

use crate::Source;

/// The kind of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A directory with a Procfile, which runs natively.
    Directory,
    /// A directory with a command. Its Procfile, if it has one, was not used.
    Command,
    /// A directory with a declaration, which replaces its Procfile and its app.json.
    Declaration,
    /// An image.
    Image,
    /// A directory with a Dockerfile, by which an image is built.
    Dockerfile,
    /// A directory with a Procfile, which is copied over an image.
    BaseImage,
    /// A directory with a Compose file, whose services are the process types.
    Compose,
}

impl Kind {
    const ALL: [Self; 7] = [
        Self::Directory,
        Self::Command,
        Self::Declaration,
        Self::Image,
        Self::Dockerfile,
        Self::BaseImage,
        Self::Compose,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Directory => "directory",
            Self::Command => "command",
            Self::Declaration => "declaration",
            Self::Image => "docker-image",
            Self::Dockerfile => "dockerfile",
            Self::BaseImage => "base-image",
            Self::Compose => "compose",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether the source runs natively, in a directory.
    pub(crate) fn is_native(self) -> bool {
        match self {
            Self::Directory | Self::Command | Self::Declaration => true,
            Self::Image | Self::Dockerfile | Self::BaseImage | Self::Compose => false,
        }
    }

    /// The source of this kind at `place`, with the image if the record has it.
    pub(crate) fn source(self, place: &str, record: &SourceRecord) -> Source {
        let image = || record.prepared.clone().or_else(|| record.image.clone());
        match self {
            Self::Directory | Self::Command | Self::Declaration => Source::Directory(PathBuf::from(place)),
            Self::Image => Source::Image(image().unwrap_or_else(|| place.to_owned())),
            Self::Dockerfile | Self::BaseImage => Source::Image(image().unwrap_or_default()),
            Self::Compose => Source::Services(record.services.clone()),
        }
    }
}
