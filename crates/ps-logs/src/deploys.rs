//! The time during which a release was the current one. A release is kept when its deploy has succeeded, but the output
//! of its instances while they started belongs to it too. So its time begins when its deploy was requested.

use std::time::SystemTime;

use anyhow::{Result, bail};
use formation::AppName;
use ps_apps::World;
use ps_journal::{Entry, Event, Journal};

use crate::args::Deploy;

/// The verbs that make a release.
const DEPLOYING: [&str; 4] = ["deploy", "rebuild", "rollback", "apply"];

/// The range of time during which the release was the present one; it has no end if the release still is.
pub(crate) fn range(
    world: &World,
    app: &AppName,
    deploy: Deploy,
) -> Result<(SystemTime, Option<SystemTime>)> {
    let mut releases: Vec<(u64, SystemTime)> = world
        .kept_releases(app)?
        .into_iter()
        .filter_map(|release| release.ok().map(|release| (release.number, release.at.into())))
        .collect();
    releases.sort_unstable();
    let entries = Journal::of(world, app).read().map(|contents| contents.entries).unwrap_or_default();
    let index = match deploy {
        Deploy::Current => releases.len().checked_sub(1),
        Deploy::Release(wanted) => releases.iter().position(|(number, _)| *number == wanted),
    };
    let Some((index, (_, kept))) = index.and_then(|index| Some((index, releases.get(index)?))) else {
        let wanted = match deploy {
            Deploy::Current => "no release".to_owned(),
            Deploy::Release(number) => format!("no release {number}"),
        };
        bail!("{app} has {wanted}: ps-lifecycle releases {app} lists those that are kept");
    };
    let next = releases.get(index + 1).map(|(_, at)| asked_for(&entries, *at));
    Ok((asked_for(&entries, *kept), next))
}

/// When the deploy was requested whose release was stored at that time.
fn asked_for(entries: &[Entry], kept: SystemTime) -> SystemTime {
    let asked = entries.iter().rev().find(|entry| {
        let deploys = |verb: &String| DEPLOYING.contains(&verb.as_str());
        SystemTime::from(entry.at) <= kept
            && matches!(&entry.event, Event::Asked { verb, .. } if deploys(verb))
    });
    asked.map_or(kept, |entry| entry.at.into())
}
