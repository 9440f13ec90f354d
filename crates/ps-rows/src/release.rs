//! The row of `releases`.

use std::collections::BTreeMap;

use ps_apps::KeptRelease;
use serde::Serialize;

/// One kept release of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReleaseRow {
    /// The app.
    pub app: String,
    /// Its number, which grows with each deploy.
    pub release: u64,
    /// Whether it is the last deployed one.
    pub newest: bool,
    /// When its deploy succeeded: RFC 3339, UTC.
    pub at: String,
    /// The kind of its source, `directory`, `command` or `docker-image`.
    pub kind: String,
    /// The place of the source, as it was typed: a path, or an image.
    pub place: String,
    /// The directory to which that path led at the deploy.
    pub directory: Option<String>,
    /// The digest of the content of that directory.
    pub content: Option<String>,
    /// The engine's id of the image.
    pub image: Option<String>,
    /// The scheduler that ran it.
    pub scheduler: String,
    /// The number of instances of each type.
    pub formation: BTreeMap<String, i64>,
    /// The release that it deployed again, if it is the result of a rollback.
    pub restores: Option<u64>,
}

impl ReleaseRow {
    /// The row of an app's release.
    pub fn of(app: &str, kept: KeptRelease, newest: bool) -> Self {
        Self {
            app: app.to_owned(),
            release: kept.number,
            newest,
            at: format!("{:.3}", kept.at),
            kind: kept.kind,
            place: kept.place,
            directory: kept.directory,
            content: kept.content,
            image: kept.image,
            scheduler: kept.scheduler,
            formation: kept.formation.into_iter().map(|entry| (entry.name, entry.count)).collect(),
            restores: kept.restores,
        }
    }
}
