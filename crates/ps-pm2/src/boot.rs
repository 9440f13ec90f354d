//! `startup` and `unstartup`: set up the init system to start the apps at boot. The files are those of `ps-lifecycle
//! boot`, for the directories of these apps.

use std::process::Command;

use anyhow::{Context, Result, bail};
use ps_cli::exit::Outcome;

use crate::dump;
use crate::release;
use crate::say;
use crate::session::Session;

/// pm2's words for platforms, and those of today, with the init system that they mean; none: the one that runs this machine.
const PLATFORMS: [(&str, Option<&str>); 10] = [
    ("ubuntu", None),
    ("centos", None),
    ("redhat", None),
    ("amazon", None),
    ("systemd", Some("systemd")),
    ("systemv", Some("sysv")),
    ("sysv", Some("sysv")),
    ("openrc", Some("openrc")),
    ("gentoo", Some("openrc")),
    ("runit", Some("runit")),
];

/// Has the init system bring the apps back, or no longer.
pub(crate) fn run(session: &Session, verb: &str) -> Result<Outcome> {
    let platform = session.subjects().first();
    let known = platform.map(|word| PLATFORMS.iter().find(|(name, _)| name == word));
    if let (Some(word), Some(None)) = (platform, &known) {
        let names = PLATFORMS.map(|(name, _)| name).join(", ");
        bail!("{word} is no platform that is known here: name one of {names}, or none");
    }
    let init = known.flatten().and_then(|(_, init)| *init);
    let user = session.args.user.clone();
    if !rustix::process::geteuid().is_root() {
        return Ok(ask_for_root(session, verb, platform.map_or("", String::as_str), user.as_deref()));
    }
    let lifecycle = os_process::sister("ps-lifecycle");
    let lifecycle =
        lifecycle.context("ps-lifecycle is not beside this program: install it with the others")?;
    let world = session.home.world();
    let mut boot = Command::new(lifecycle);
    boot.args(["boot", verb]).env("DOKKU_ROOT", world.root()).env("DOKKU_LIB_ROOT", world.lib());
    boot.args(init.into_iter().flat_map(|init| ["--init", init]));
    boot.args(user.iter().flat_map(|user| ["--user", user]));
    let status = boot.status().context("run ps-lifecycle")?;
    if !status.success() {
        let word = word_of(verb);
        let hint = if init.is_some() { String::new() } else { named_inits(word) };
        bail!("ps-lifecycle boot {verb} has failed, {status}: nothing is set up{hint}");
    }
    if verb == "enable" {
        let _lock = session.home.lock()?;
        dump::write(session)?;
    }
    say::fact("Done.")?;
    Ok(Outcome::Done)
}

/// pm2's word for a verb of `ps-lifecycle boot`.
fn word_of(verb: &str) -> &'static str {
    if verb == "enable" { "startup" } else { "unstartup" }
}

/// What to type where the init system was not found out. The message before it names an option that pm2 does not have.
fn named_inits(word: &str) -> String {
    let named = PLATFORMS.iter().filter(|(name, init)| *init == Some(name)).map(|(name, _)| *name);
    let named = named.collect::<Vec<_>>().join("|");
    format!("; with another init system name it: ps-pm2 {word} {named}")
}

/// The command that root has to type.
fn ask_for_root(session: &Session, verb: &str, platform: &str, user: Option<&str>) -> Outcome {
    let own = ps_apps::variable("USER").and_then(|user| user.into_string().ok());
    let user = user.map(str::to_owned).or(own).unwrap_or_else(|| "USER".to_owned());
    let word = word_of(verb);
    let home = session.home.directory().display();
    // sudo has a PATH of its own, in which the directory of a user's programs is missing.
    let program = release::own_program().unwrap_or_else(|_| "ps-pm2".to_owned());
    say::error("only root can have the init system do that. Run this command:");
    say::error(
        format_args!("sudo env PM2_HOME={home} {program} {word} {platform} -u {user}")
            .to_string()
            .replace("  ", " "),
    );
    Outcome::No
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_init_systems_are_named_by_words_that_are_taken() {
        let hint = named_inits("startup");
        assert_eq!(hint, "; with another init system name it: ps-pm2 startup systemd|sysv|openrc|runit");
        let named = hint.rsplit(' ').next().unwrap_or_default().split('|');
        assert!(
            named.clone().count() == 4
                && named.into_iter().all(|word| PLATFORMS.contains(&(word, Some(word))))
        );
    }
}
