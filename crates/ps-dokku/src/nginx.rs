//! What Dokku's nginx needs in order to find native apps, each of whose processes has a port of its own. Dokku's
//! template takes the port from the port map, and would send requests to whatever program listens there. Therefore a
//! native app gets a copy of the template that uses the port of each process (`nginx-app-template-source`). If the
//! app has a template of its own, the configuration that was made from it is corrected before nginx reads it
//! (`nginx-pre-reload`). Other proxies find apps by the labels of their containers, so they cannot find a native app;
//! a deploy says so.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use durable::{Access, Directory};
use formation::{AppName, FIRST_TYPE};
use ps_apps::state_file;
use ps_apps::{LISTENING_HOST, SchedulerName, Scope, World};
use ps_triggers::Triggers;

use crate::upstreams::{self, Wanted};
use crate::{Caller, Error};

const CONFIGURATION: &str = "nginx.conf";
const TEMPLATE: &str = "nginx.conf.sigil";
/// How Dokku's template names a server, and how ours does. `$listeners` yields one `<address>:<port>` after the
/// other.
const BY_MAP: &str = "{{ $listener_ip }}:{{ $upstream_port }}";
const BY_LISTENER: &str = "{{ $listeners }}";
const OWN_PLUGIN: &str = "scheduler-formation";
/// Proxies of Dokku that only look for containers.
const OF_CONTAINERS: [&str; 4] = ["caddy", "haproxy", "openresty", "traefik"];

/// The path of the template for a native app's nginx configuration. `None` means that Dokku uses its own template:
/// the app is not native, another plugin has a template, or Dokku's template does not contain the line that would be
/// changed.
pub fn template(world: &World, app: &AppName, kind: &str) -> Result<Option<PathBuf>, Error> {
    if kind != "app-config" || listeners_of(world, app)?.is_empty() || has_template_of_another(world)? {
        return Ok(None);
    }
    let path = world.plugins().join("enabled/nginx-vhosts/templates").join(TEMPLATE);
    let Some(text) = state_file::read_text(&path, false)? else { return Ok(None) };
    if !text.contains(BY_MAP) {
        return Ok(None);
    }
    // Dokku warns about each line of a foreign template that contains `http2;`, because that spelling is deprecated.
    // The copy spells it so that Dokku does not find it.
    let text = text.replace(BY_MAP, BY_LISTENER).replace(" http2;", " {{ \"http2\" }};");
    let place = world.data_dir("scheduler-native", app);
    Directory::open(world.lib(), &place)?.write(
        TEMPLATE,
        text.as_bytes(),
        Access::like(world.lib(), 0o644),
    )?;
    Ok(Some(place.join(TEMPLATE)))
}

/// Whether another plugin names a template. Dokku joins the output of all plugins and takes the result for one path,
/// so only one plugin may print one.
fn has_template_of_another(world: &World) -> Result<bool, Error> {
    let plugins = Triggers::new(world).plugins_of("nginx-app-template-source")?;
    Ok(plugins.iter().any(|plugin| plugin != OWN_PLUGIN))
}

/// The ports of the app's web processes. There are none if the app is not native, or if a person has set a
/// `static-web-listener`, which takes precedence.
fn listeners_of(world: &World, app: &AppName) -> Result<Vec<u16>, Error> {
    let fixed = world.property("network", Scope::App(app), "static-web-listener")?;
    let is_ours =
        fixed.is_none_or(|value| value.is_empty()) && world.scheduler_name(app)? == SchedulerName::Native;
    if is_ours { web_ports(world, app) } else { Ok(Vec::new()) }
}

fn web_ports(world: &World, app: &AppName) -> Result<Vec<u16>, Error> {
    Ok(world.listeners(app, &FIRST_TYPE.parse().expect("a legal process type"))?)
}

/// Corrects each upstream of the app, so that it leads to the app's own processes.
pub fn correct(world: &World, app: &AppName) -> Result<(), Error> {
    let ports = listeners_of(world, app)?;
    if ports.is_empty() {
        return Ok(());
    }
    let place = world.app_dir(app);
    let path = place.join(CONFIGURATION);
    let Some(text) = state_file::read_text(&path, false)? else { return Ok(()) };
    let mapped = mapped(&Caller::new(world).ask("ports-get", &[app.as_str()]).unwrap_or_default());
    let wanted = Wanted { app: app.as_str(), host: LISTENING_HOST, listeners: &ports, mapped: &mapped };
    let Some(corrected) = upstreams::corrected(&text, &wanted) else { return Ok(()) };
    let is = path.metadata().map_err(Error::io(format!("read {}", path.display())))?;
    let access = Access::like(&path, is.permissions().mode() & 0o777);
    Ok(Directory::open(&place, &place)?.write(CONFIGURATION, corrected.as_bytes(), access)?)
}

/// The container ports of a port map: 5000 of `http:80:5000`.
fn mapped(map: &str) -> Vec<u16> {
    map.split_whitespace().filter_map(|entry| entry.rsplit(':').next()?.parse().ok()).collect()
}

/// A warning if the app's proxy cannot find the processes that now run. If no plugin says which proxy the app has,
/// there is no warning.
pub fn proxy_remark(world: &World, caller: &Caller, app: &AppName) -> Result<Option<String>, Error> {
    let ask = |question: &str| caller.ask(question, &[app.as_str()]).unwrap_or_default();
    if web_ports(world, app)?.is_empty() || ask("proxy-is-enabled") == "false" {
        return Ok(None);
    }
    let proxy = ask("proxy-type");
    Ok(OF_CONTAINERS.contains(&proxy.as_str()).then(|| {
        format!(
            "App {app} runs natively, and its proxy {proxy} finds containers only: no domain leads to the app; \
             dokku proxy:set {app} type nginx, then dokku ps:restart {app}"
        )
    }))
}
