//! Setting and clearing one property.

use std::io::{self, Read};
use std::time::Duration;

use anyhow::{Context, Result};
use formation::ProcessType;
use ps_apps::{AUTO, AppLock, Error, InvalidValue, LISTEN, PsProperty, SchedulerName, Scope, World};
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::say;

use type_settings::{Disorder, Setting};

use crate::args::Args;
use crate::{Target, of_types};

const POLICY: &str = "restart-policy";
const AFTER: &str = "after";
const RESTORE: &str = "restore";
const NONE: &str = "none";
const STDIN: &str = "-";
/// How many bytes are read from stdin, at most: more than the longest accepted value.
const MOST: u64 = 1 << 16;

pub(crate) fn run(world: &World, args: &Args) -> Result<Outcome> {
    refuse_policy_first(world, args)?;
    let target = Target::of(world, args)?;
    let property = target.row(world)?;
    let args = &args.clone().with_value(value(property, &args.value)?);
    if !args.value.is_empty() {
        property.check(&args.value).map_err(|invalid| refusal(world, &invalid))?;
        refuse_without_effect(world, property, args)?;
        refuse_shared_address(&target, property, &args.value)?;
        refuse_disorder(world, &target, property, &args.value)?;
    }
    write(world, &target, property, args)?;
    Ok(Outcome::Done)
}

/// The value to set. `-` for a secret means that the value is read from stdin, because every user of the machine can read command
/// lines.
fn value(property: &PsProperty, given: &str) -> Result<String> {
    if !property.is_secret() || given != STDIN {
        return Ok(given.to_owned());
    }
    let mut text = String::new();
    io::stdin()
        .take(MOST)
        .read_to_string(&mut text)
        .with_context(|| format!("read {} from stdin", property.name))?;
    match text.trim() {
        "" => Err(Refusal::failed(format!("there is no {} on stdin", property.name))),
        text => Ok(text.to_owned()),
    }
}

/// Refuses `skip-deploy` outside Dokku: nothing is pushed there, so the property could not keep anything from being deployed.
fn refuse_without_effect(world: &World, property: &PsProperty, args: &Args) -> Result<()> {
    if world.inside_dokku() || property.name != "skip-deploy" || args.value != "true" {
        return Ok(());
    }
    Err(Refusal::failed(
        "skip-deploy cannot be true here: it keeps Dokku from deploying what is pushed, and here nothing is deployed \
         unless you say so (ps-scale --skip-deploy only stores counts)",
    ))
}

/// Refuses one address for all apps: two apps cannot be reached at the same address.
fn refuse_shared_address(target: &Target, property: &PsProperty, value: &str) -> Result<()> {
    if property.name != LISTEN || matches!(target.scope(), Scope::App(_)) || [AUTO, NONE].contains(&value) {
        return Ok(());
    }
    Err(Refusal::failed(format!(
        "{LISTEN} of all apps is {AUTO} or {NONE}: each app has an address of its own"
    )))
}

/// Refuses a setting with which a type could never start, so that not only the next start fails.
fn refuse_disorder(world: &World, target: &Target, property: &PsProperty, value: &str) -> Result<()> {
    let (Scope::App(app), Some(process_type)) = (target.scope(), target.process_type()) else {
        return Ok(());
    };
    if property.name != AFTER {
        return Ok(());
    }
    match of_types::disorder(world, app, process_type, value)? {
        Some(Disorder { process_type, what }) => {
            Err(Refusal::failed(format!("the settings of {process_type}: {what}")))
        }
        None => Ok(()),
    }
}

/// Checks a restart policy before the app's existence, in Dokku's order.
fn refuse_policy_first(world: &World, args: &Args) -> Result<()> {
    let property = args.words.get(usize::from(!args.global)).map(String::as_str);
    let row = PsProperty::named(POLICY).filter(|row| property == Some(row.name));
    match row {
        Some(row) if world.inside_dokku() && !args.value.is_empty() => {
            row.check(&args.value).map_err(|invalid| refusal(world, &invalid))
        }
        _ => Ok(()),
    }
}

fn refusal(world: &World, invalid: &InvalidValue) -> anyhow::Error {
    let is_dokkus = world.inside_dokku() && invalid.property == POLICY;
    Refusal::failed(if is_dokkus {
        "Invalid restart-policy specified".to_owned()
    } else {
        invalid.to_string()
    })
}

/// Takes the app's lock before `restore` is set, because a running change of the app writes `restore` at its end and would undo
/// the new value. Outside Dokku the change is waited for. Dokku never waits, so inside Dokku a warning says what will happen. Any
/// other property is only read by changes, which find either the old or the new value: for these the short lock of the file is
/// enough.
fn turn(world: &World, scope: Scope<'_>, property: &PsProperty, args: &Args) -> Result<Option<AppLock>> {
    let Scope::App(app) = scope else { return Ok(None) };
    if property.name != RESTORE {
        return Ok(None);
    }
    if !world.inside_dokku() {
        return Ok(Some(world.lock_app(app, Duration::from_secs(args.wait))?));
    }
    if let Some(holder) = holder(world, app).filter(|_| args.value == "false") {
        say::warning(&format!(
            "{app} is locked by {holder}, which may set restore to true when it ends: set it again then"
        ));
    }
    Ok(None)
}

/// The program that changes the app at this moment.
fn holder(world: &World, app: &formation::AppName) -> Option<String> {
    match world.lock_app(app, Duration::ZERO) {
        Err(Error::Busy { holder, .. }) => return Some(holder),
        Err(_) => return None,
        Ok(_) => (),
    }
    match ps_dokku::refuse_deploying(world, app) {
        Err(ps_dokku::Error::Deploying { holder, .. }) => Some(holder),
        _ => None,
    }
}

fn write(world: &World, target: &Target, property: &PsProperty, args: &Args) -> Result<()> {
    let scope = target.scope();
    let _lock = turn(world, scope, property, args)?;
    let name = &*target.name();
    let (text, written) = if args.value.is_empty() {
        (format!("Unsetting {name}"), world.unset_property("ps", scope, name))
    } else {
        (
            format!("Setting {name} to {}", property.shown(&args.value)),
            world.set_property("ps", scope, name, &args.value),
        )
    };
    written.with_context(|| format!("{} of {}", name, scope.as_str()))?;
    if !args.quiet {
        say::fact(&text)?;
    }
    say_when(world, scope, property, args)?;
    warn_of_unknown_type(world, target, args)?;
    warn_of_machine(world, target, property, args);
    hint(world, scope, name, args)
}

/// Warns if the app does not have the type: its name may be misspelt, or the type may come with the next deploy.
fn warn_of_unknown_type(world: &World, target: &Target, args: &Args) -> Result<()> {
    let (Scope::App(app), Some(process_type)) = (target.scope(), target.process_type()) else {
        return Ok(());
    };
    if args.value.is_empty() || world.inside_dokku() {
        return Ok(());
    }
    if let Some(types) = world.known_types(app)?.filter(|types| !types.contains(process_type)) {
        let known: Vec<&str> = types.iter().map(ProcessType::as_str).collect();
        say::warning(&format!(
            "{app} has no type {process_type} ({}): {} holds once it has one",
            known.join(", "),
            target.name()
        ));
    }
    Ok(())
}

/// Warns if a supervisor of this machine could not apply the value to the processes of an app, for example because there is no such user.
/// The value is kept: the user may be made later, and before the next deploy.
/// What cannot be read is no failure: the value is set already.
fn warn_of_machine(world: &World, target: &Target, property: &PsProperty, args: &Args) {
    let (Scope::App(app), Some(setting)) = (target.scope(), property.setting()) else { return };
    let is_native = || world.scheduler_name(app).is_ok_and(|name| name == SchedulerName::Native);
    if world.inside_dokku() || !of_types::is_of_processes(setting, &args.value) || !is_native() {
        return;
    }
    if let Ok(Some(reason)) = of_types::refusal(world, app, target.process_type(), setting) {
        let name = target.name();
        say::warning(&format!(
            "{name} of {app}: {reason}; a deploy or restart is refused as long as that is so"
        ));
    }
}

/// Prints, for a deployed app, when the changed option of its address takes effect.
fn say_when(world: &World, scope: Scope<'_>, property: &PsProperty, args: &Args) -> Result<()> {
    let Scope::App(app) = scope else { return Ok(()) };
    // An address is chosen automatically only for new apps.
    let is_chosen = property.name == LISTEN && args.value == AUTO;
    let is_told = !args.quiet && !is_chosen && !world.inside_dokku() && property.is_of_address();
    if !is_told || !ps_dokku::is_deployed(world, app)? {
        return Ok(());
    }
    let name = property.name;
    let from = format!("{name} of {app} holds from its next deploy or restart on");
    let value = &args.value;
    Ok(say::detail(&match value.contains(' ') {
        _ if value.is_empty() => from,
        true => format!("{from}, or at once: ps-lifecycle proxy {app} --{name}='{value}'"),
        false => format!("{from}, or at once: ps-lifecycle proxy {app} --{name}={value}"),
    })?)
}

/// Prints a hint if a property only has an effect in containers and the app runs natively.
fn hint(world: &World, scope: Scope<'_>, name: &str, args: &Args) -> Result<()> {
    let Scope::App(app) = scope else { return Ok(()) };
    let setting = Setting::named(name.rsplit('.').next().unwrap_or(name));
    let instead = match name {
        "dockerfile-start-cmd" => "it is for images, start-cmd is for all",
        _ if setting.is_some_and(|setting| setting.is_only_for_containers) => "only a container can have it",
        _ => return Ok(()),
    };
    let is_meant = !args.value.is_empty() && !world.inside_dokku();
    if is_meant && ps_dokku::is_deployed(world, app)? && world.scheduler_name(app)? == SchedulerName::Native {
        say::warning(&format!("{name} has no effect while {app} runs natively: {instead}"));
    }
    Ok(())
}
