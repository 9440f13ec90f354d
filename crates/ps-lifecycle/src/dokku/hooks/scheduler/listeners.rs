//! Writes `IP.<type>.<n>` and `PORT.<type>.<n>` into the app's directory (docs/contract.md#files). Dokku's proxy plugins read
//! them to learn where an app listens.

use std::fs;
use std::io;

use anyhow::Result;
use formation::AppName;
use ps_apps::World;
use ps_apps::durable::{self, Access, Directory};
use ps_scheduler::Instance;

/// Where native processes listen.
pub(super) const HOST: &str = "127.0.0.1";
const KINDS: [&str; 2] = ["IP", "PORT"];

/// Writes down where these instances listen, and removes the files of instances that were there before.
pub(super) fn write(world: &World, app: &AppName, instances: &[Instance]) -> Result<()> {
    let place = world.app_dir(app);
    let directory = Directory::open(&place, &place)?;
    let access = Access::like(&place, 0o644);
    let listening = instances.iter().filter(|instance| instance.address.is_some());
    let listening: Vec<(String, u16)> =
        listening.filter_map(|instance| Some((instance.slot.to_string(), instance.port?))).collect();
    for (slot, port) in &listening {
        directory.write(&format!("IP.{slot}"), HOST.as_bytes(), access)?;
        directory.write(&format!("PORT.{slot}"), port.to_string().as_bytes(), access)?;
    }
    for name in of_kinds(world, app, &KINDS)? {
        let slot = name.split_once('.').map_or("", |(_, slot)| slot);
        if !listening.iter().any(|(listening, _)| listening == slot) {
            directory.remove(&name)?;
        }
    }
    Ok(())
}

/// The ports of the native listeners of a process type, in the order of their numbers.
pub(super) fn ports(world: &World, app: &AppName, process_type: &str) -> Result<Vec<u16>> {
    let place = world.app_dir(app);
    let mut found = Vec::new();
    for name in of_kinds(world, app, &["IP"])? {
        let Some(number) = name.strip_prefix(&format!("IP.{process_type}.")) else { continue };
        let (Ok(number), Some(host)) = (number.parse::<u16>(), durable::read_text(&place.join(&name), true)?)
        else {
            continue;
        };
        let port = durable::read_text(&place.join(format!("PORT.{process_type}.{number}")), true)?;
        if let Some(port) = port.and_then(|port| port.trim().parse().ok()).filter(|_| host.trim() == HOST) {
            found.push((number, port));
        }
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|(_, port)| port).collect())
}

/// Removes the files that say where an app listened, except for instances that are containers.
pub(super) fn forget(world: &World, app: &AppName) -> Result<bool> {
    let place = world.app_dir(app);
    let mut any = false;
    for name in of_kinds(world, app, &KINDS)? {
        let container = name.replacen("IP", "CONTAINER", 1).replacen("PORT", "CONTAINER", 1);
        if !place.join(container).exists() {
            Directory::open(&place, &place)?.remove(&name)?;
            any = true;
        }
    }
    Ok(any)
}

/// The names in the app's directory that are of these kinds.
pub(super) fn of_kinds(world: &World, app: &AppName, kinds: &[&str]) -> Result<Vec<String>> {
    let entries = match fs::read_dir(world.app_dir(app)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let is_one = |name: &String| kinds.contains(&name.split('.').next().unwrap_or_default());
    Ok(names.filter(is_one).collect())
}
