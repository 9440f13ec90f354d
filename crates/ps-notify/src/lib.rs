//! Sends alerts about what is new in an app's journal to hooks and a webhook, and ends (docs/alerts.md). A supervisor
//! or a verb that writes such an event starts this program and does not wait for it. Only one such program works for an
//! app at a time, and the number of alerts is limited.
//!
//! It changes nothing of the app. The address of the webhook is a secret: it is read from its file, and appears in no
//! argument and no message.

mod args;
mod courier;
mod desk;
mod kept;
mod quota;
mod turn;
mod webhook;

use anyhow::{Context, Result};
use clap::Parser;
use jiff::Timestamp;
use nix::sys::signal::SigSet;
use ps_alerts::{Alert, Audience, TRIGGER};
use ps_apps::World;
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::say;

use crate::args::Args;
use crate::courier::Courier;

/// The command line as clap knows it, for man pages and completions.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the program with the arguments and the environment of this process.
pub fn run() -> Result<Outcome> {
    let args = Args::try_parse()?;
    // A supervisor blocks its signals, and so do the programs that it starts.
    SigSet::all().thread_unblock().context("unblock signals")?;
    let world = World::from_env()?;
    let app = world.app(&args.app)?.name;
    if !args.test {
        turn::each(&world, &app)?;
        return Ok(Outcome::Done);
    }
    let audience = Audience::of(&world, &app)?;
    if audience.is_empty() {
        return Err(Refusal::failed(format!(
            "nobody receives alerts of {app}: set an address (ps-set {app} webhook - < FILE), or give a plugin a hook {TRIGGER}"
        )));
    }
    let failures =
        Courier::new(&world, &app, audience).send(&Alert::of_trial(&app, Timestamp::now())).failures();
    if let Some(failure) = failures.first() {
        return Err(Refusal::failed(failure.clone()));
    }
    say::fact(&format!("The test alert of {app} was delivered"))?;
    Ok(Outcome::Done)
}
