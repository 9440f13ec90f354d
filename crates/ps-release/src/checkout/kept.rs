//! A kept release as a source: exactly what was deployed then, or a refusal. The typed path may lead elsewhere by now, and the name of
//! an image may mean another one. So the directory must be the one that the path led to, with the same content, and an image is
//! identified by its id.

use std::path::Path;
use std::time::SystemTime;

use ps_apps::{KeptRelease, Text};

use super::{Checkout, Kind};
use crate::Error;

impl Checkout {
    /// The source of a kept release, with its files as they were then.
    ///
    /// # Errors
    /// Its directory is gone, has other content now, or its earlier content is not known.
    pub fn of_kept(kept: &KeptRelease) -> Result<Self, Error> {
        let kind = Kind::parse(&kept.kind);
        let kind = kind.ok_or_else(|| Error::UnknownSource { kind: kept.kind.clone() })?;
        let place = if kind.is_native() { directory(kept)? } else { kept.place.clone() };
        let mut record = kept.source.clone();
        if kind == Kind::Image && record.image.is_none() {
            record.image = image_of_then(kept);
        }
        let bytes = |file: &Option<Text>| file.clone().map(Text::into_bytes);
        let (procfile, app_json) = (bytes(&kept.procfile), bytes(&kept.app_json));
        Ok(Self {
            kind,
            source: kind.source(&place, &record),
            place,
            record,
            procfile,
            app_json,
            dokku_scale: None,
        })
    }
}

/// The image of a release whose source was not recorded. A name with a digest always means the same image; any other name is replaced by
/// the id of the image that it meant.
fn image_of_then(kept: &KeptRelease) -> Option<String> {
    kept.image.clone().filter(|_| kept.digest.is_none())
}

/// The directory of the release, by the typed path if that still leads there.
fn directory(kept: &KeptRelease) -> Result<String, Error> {
    let number = kept.number;
    let unknown =
        |why: &str| Error::UnknownRelease { number, place: kept.place.clone(), why: why.to_owned() };
    let resolved = kept.directory.as_deref().ok_or_else(|| unknown("nothing says where that led to"))?;
    let directory = Path::new(resolved);
    if !directory.is_dir() {
        return Err(Error::GoneRelease { number, directory: directory.to_owned() });
    }
    let held = kept.content.as_deref().ok_or_else(|| unknown("nothing says what it held"))?;
    let holds = tree_digest::of(directory)
        .map_err(|source| Error::UnreadableRelease { number, source: Box::new(source) })?;
    if holds != held {
        let deployed = SystemTime::from(kept.at);
        let changed = tree_digest::changed_since(directory, deployed);
        let changed = changed.filter(|path| !path.as_os_str().is_empty());
        let which = changed.map(|path| format!(" ({} was changed since)", path.display()));
        let (directory, which) = (directory.to_owned(), which.unwrap_or_default());
        return Err(Error::ChangedRelease { number, directory, which });
    }
    let still_leads_there = Path::new(&kept.place).canonicalize().is_ok_and(|path| path == directory);
    Ok(if still_leads_there { kept.place.clone() } else { resolved.to_owned() })
}
