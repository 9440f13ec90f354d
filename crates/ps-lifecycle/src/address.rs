//! `--listen`: where an app is reached.

use anyhow::{Result, bail};
use formation::{Addresses, AppName};
use ps_apps::SchedulerName;
use ps_release::Release;

use crate::args::DeployArgs;
use crate::session::Session;

/// What a deploy says of it; `None`: it stays as it is.
pub(crate) fn asked(args: &DeployArgs, scheduler: &SchedulerName) -> Result<Option<Addresses>> {
    if args.listen.is_empty() {
        return Ok(None);
    }
    let words: Vec<String> = args.listen.iter().map(Addresses::to_string).collect();
    let addresses: Addresses = words.join(" ").parse()?;
    if matches!(scheduler, SchedulerName::External(_)) && !addresses.is_empty() {
        bail!("--listen is for apps that run natively or in docker-local, and {scheduler} does neither");
    }
    Ok(Some(addresses))
}

/// The same of a deploy that is going to be carried out, unless something is required that holds of no app without an address.
pub(crate) fn settled(
    session: &Session,
    app: &AppName,
    args: &DeployArgs,
    scheduler: &SchedulerName,
) -> Result<Option<Addresses>> {
    let asked = asked(args, scheduler)?;
    session.required.check(&session.world, app, asked.as_ref())?;
    Ok(asked)
}

/// The release with the address that its deploy asks for.
pub(crate) fn give(release: Release, asked: Option<&Addresses>) -> Release {
    match asked {
        Some(asked) => Release { listen: asked.clone(), ..release },
        None => release,
    }
}

/// Says where a release that runs now is reached, if it has an address.
pub(crate) fn tell(session: &Session, release: &Release) -> Result<()> {
    if release.listen.is_empty() {
        return Ok(());
    }
    session.detail(&format!("{} is reached at {}", release.app, release.listen))
}
