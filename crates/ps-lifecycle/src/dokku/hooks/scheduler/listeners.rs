//! `IP.<type>.<n>` and `PORT.<type>.<n>` in the app's directory (contract 1.2): from them Dokku's proxies know where an
//! app listens.

use std::fs;
use std::io;

use anyhow::Result;
use ps_apps::durable::{Access, Directory};
use ps_apps::{AppName, World};
use ps_scheduler::Instance;

const HOST: &str = "127.0.0.1";
const KINDS: [&str; 2] = ["IP", "PORT"];

/// Writes down where these instances listen, and forgets what others wrote before.
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

/// Forgets where an app listened, but for instances that are containers.
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
