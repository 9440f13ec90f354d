//! The address of an app and its options: what a verb was given, and the values that result from it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::SystemTime;

use anyhow::{Result, bail};
use balance::{OF_HTTP, PASS_SOCKET};
use balance_tls::{Certificates, Source};
use formation::{Addresses, AppName, FIRST_TYPE};
use ps_apps::{AUTO, LISTEN, SchedulerName, TLS, World};
use ps_cli::exit::Refusal;
use ps_cli::say;
use ps_release::{Process, Release, address};
use ps_service::{Service, Skipped};
use type_settings::Ready;

use crate::args::AddressArgs;
use crate::session::Session;

/// The properties of the address that a verb sets, and the address that results from them.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The properties that change, with their new values.
    pub(crate) properties: BTreeMap<String, String>,
    /// The address at which the app is to be reached, and the settings of its connections.
    pub(crate) reached: address::Reached,
}

/// Reads what a verb asks for: its options, and `chosen`, the default address that was determined for the app, if any.
///
/// # Errors
/// The scheduler supports no addresses; an option needs an address and the app has none; an option needs `--http` and connections are passed on byte
/// for byte; or there is no certificate that can be shown to clients.
pub(crate) fn asked(
    world: &World,
    app: &AppName,
    (args, chosen): (&AddressArgs, Option<String>),
    scheduler: &SchedulerName,
) -> Result<Asked> {
    let mut properties = args.properties()?;
    properties.extend(chosen.map(|address| (LISTEN.to_owned(), address)));
    let mut reached = address::Reached::with(world, app, &properties)?;
    if args.is_all_tls() && !reached.listen.is_empty() {
        properties.insert(TLS.to_owned(), reached.listen.to_string());
        reached.frontend.tls = reached.listen.as_slice().to_vec();
    }
    if matches!(scheduler, SchedulerName::External(_)) && !reached.listen.is_empty() {
        bail!(
            "{app} has the address {}, which is for apps that run natively, in docker-local or on a swarm, and not by {scheduler}: \
             deploy it with --listen none",
            reached.listen
        );
    }
    let passes = reached.passes_socket();
    if passes && *scheduler != SchedulerName::Native {
        return Err(Refusal::usage(format!(
            "--{PASS_SOCKET} is for apps that run natively, and {app} runs in {scheduler}: leave it out (--{PASS_SOCKET}=false)"
        )));
    }
    if properties.is_empty() && !args.is_all_tls() {
        if let Err(flaw) = judge_certificate(world, app, &reached) {
            // A certificate that is no good must not keep a new release from being deployed.
            say::warning(&format!(
                "{flaw:#}; who connects now is shown the certificate that was read before, if there is one"
            ));
        }
        return Ok(Asked { properties, reached });
    }
    let is_option = |name: &String| name != LISTEN && name != TLS;
    let needs_one = args.is_all_tls() || properties.keys().any(is_option);
    if needs_one && reached.listen.is_empty() {
        return Err(Refusal::usage(format!("{app} has no address: give it one with --listen")));
    }
    let is_used = |name: &str| properties.get(name).is_some_and(|value| value != "none");
    if let Some(name) =
        OF_HTTP.into_iter().find(|name| is_used(name)).filter(|_| !reached.frontend.options.http)
    {
        return Err(Refusal::usage(format!("--{name} works only with --http")));
    }
    if is_used("redirect-https") && reached.frontend.tls.is_empty() {
        return Err(Refusal::usage(format!("{app} has no address for TLS: give it one with --tls")));
    }
    if passes {
        refuse_beside_passing(app, &reached, &properties)?;
    }
    judge_certificate(world, app, &reached)?;
    Ok(Asked { properties, reached })
}

/// Refuses an option that `ps-balance` would carry out if the instances accept their clients themselves, so that there is none.
fn refuse_beside_passing(
    app: &AppName,
    reached: &address::Reached,
    given: &BTreeMap<String, String>,
) -> Result<()> {
    let is_of_balance = |name: &&str| ["hold", "drain-limit", "idle-limit"].contains(name);
    let given = given.keys().map(String::as_str).find(is_of_balance);
    let Some(name) = reached.frontend.needs_balance().or(given) else { return Ok(()) };
    Err(Refusal::usage(format!(
        "with {PASS_SOCKET} the instances of {app} accept their clients themselves, and --{name} has no effect: leave one of the two out"
    )))
}

/// The default address of an app. It is chosen at the first deploy of an app with the type `web`, unless `listen` is set to something other than
/// `auto`; on a swarm there is none (docs/address.md#on-a-swarm). If another program holds a port that would have been chosen, a message names it.
/// An app that was deployed before keeps the ports of its instances, and a message says so.
///
/// # Errors
/// No port can be chosen.
pub(crate) fn by_default(
    session: &Session,
    app: &AppName,
    (args, scheduler): (&AddressArgs, &SchedulerName),
    release: impl FnOnce() -> Result<Release>,
) -> Result<Option<String>> {
    let world = &session.world;
    let leads = matches!(scheduler, SchedulerName::Native | SchedulerName::DockerLocal);
    let is_asked = args.properties()?.contains_key(LISTEN);
    let is_auto = world.ps_property(app, LISTEN)?.is_none_or(|listen| listen == AUTO);
    if world.inside_dokku() || !leads || is_asked || !is_auto || !has_clients(&release()?) {
        return Ok(None);
    }
    if ps_dokku::is_deployed(world, app)? {
        session.detail(&format!(
            "{app} keeps the ports of its instances: ps-lifecycle proxy {app} --listen ADDR gives it an address"
        ))?;
        return Ok(None);
    }
    let own = world.ps_property(app, "port")?.and_then(|word| word.parse().ok());
    let (port, skipped) = match own {
        Some(port) => (port, None),
        None => Service::of(world, app, None).choose_port()?,
    };
    if let Some(Skipped { first, others }) = skipped {
        let more =
            if others > 0 { format!(" (ports in use after that one: {others})") } else { String::new() };
        session.detail(&format!("{app} is not reached at {first}{more}"))?;
    }
    Ok(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)).to_string()))
}

/// Whether clients can be directed to the instances of a release: it has the type `web`, its instances run all the time, and their gate shows
/// that they listen on the port that they are given. An instance with a `port` setting of its own does not use that port, and an instance that
/// only reports `ready` may not listen at all.
fn has_clients(release: &Release) -> bool {
    let web = release.processes.iter().find(|process| process.process_type.as_str() == FIRST_TYPE);
    let settings = match web {
        Some(web) => &web.settings,
        None if release.are_all_types => return false,
        None => &release.others,
    };
    let is_asked = web.is_some_and(|web| !web.checks.startup.is_empty());
    let listens = is_asked || settings.ready.is_none_or(|ready| ready == Ready::Listening);
    listens && settings.port.is_none() && settings.schedule.is_none()
}

/// Refuses an address for TLS if there is no certificate that can be shown to clients.
fn judge_certificate(world: &World, app: &AppName, reached: &address::Reached) -> Result<()> {
    if reached.listen.is_empty() || reached.frontend.tls.is_empty() {
        return Ok(());
    }
    let source = Source::of_directory(&world.certificates(app));
    match Certificates::read([source], SystemTime::now()) {
        Ok(_) => Ok(()),
        Err(flaw) => {
            let flaw = flaw.in_full();
            Err(Refusal::failed(format!("clients of {app} cannot speak TLS: {flaw}")))
        }
    }
}

/// As [`asked`], for a deploy that is going to be carried out: also refuses `--require` for an app without an address.
pub(crate) fn settled(
    session: &Session,
    app: &AppName,
    given: (&AddressArgs, Option<String>),
    scheduler: &SchedulerName,
) -> Result<Asked> {
    let asked = asked(&session.world, app, given, scheduler)?;
    session.required.check(&session.world, app, Some(&asked.reached))?;
    Ok(asked)
}

/// The release with the address that its deploy has set.
///
/// # Errors
/// The release has no type that could answer clients at the address.
pub(crate) fn give(release: Release, asked: &Asked) -> Result<Release> {
    let address::Reached { listen, frontend } = asked.reached.clone();
    refuse_without_web(&release, &listen)?;
    Ok(Release { listen, frontend, ..release })
}

/// Refuses an address if the app has no type `web`, to which clients are directed.
pub(crate) fn refuse_without_web(release: &Release, listen: &Addresses) -> Result<()> {
    let is_web = |process: &Process| process.process_type.as_str() == FIRST_TYPE;
    if listen.is_empty() || !release.are_all_types || release.processes.iter().any(is_web) {
        return Ok(());
    }
    let app = &release.app;
    Err(Refusal::failed(format!(
        "clients of {listen} would be led to {FIRST_TYPE}, and {app} has no such type: call the type that answers them {FIRST_TYPE}, \
         or go without an address: ps-set {app} listen none"
    )))
}

/// Prints where the running release is reached, if it has an address.
pub(crate) fn tell(session: &Session, release: &Release) -> Result<()> {
    if release.listen.is_empty() {
        return Ok(());
    }
    session.detail(&format!("{} is reached at {}", release.app, release.listen))?;
    if !release.reached().passes_socket() {
        return Ok(());
    }
    session
        .detail("its instances accept clients themselves: what becomes of their connections is not counted")
}
