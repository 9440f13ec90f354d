//! The row of `releases`.

use std::collections::BTreeMap;

use ps_apps::KeptRelease;
use serde::Serialize;

/// One release that is kept of an app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReleaseRow {
    /// The app.
    pub app: String,
    /// Its number, which grows with each deploy.
    pub release: u64,
    /// Whether it was deployed last.
    pub newest: bool,
    /// When its deploy had succeeded: RFC 3339, UTC.
    pub at: String,
    /// The kind of its source, `directory`, `command` or `docker-image`.
    pub kind: String,
    /// Where the source lay, as it was typed: a path, or an image.
    pub place: String,
    /// The directory to which that path led.
    pub directory: Option<String>,
    /// The digest of what lay there.
    pub content: Option<String>,
    /// The engine's id of the image.
    pub image: Option<String>,
    /// The scheduler that ran it.
    pub scheduler: String,
    /// How many instances there were of each type.
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
