//! The files with the addresses of native processes, which Dokku's proxy plugins read.

use durable::{Access, Directory};
use formation::{AppName, ProcessType, Slot};

use super::{CONTAINER, IP, PORT, instance_of, names};
use crate::state_file;
use crate::{Error, World};

const KINDS: [&str; 2] = [IP, PORT];
/// Where native processes listen.
pub const LISTENING_HOST: &str = "127.0.0.1";

impl World {
    /// Records that these instances listen on their ports, and removes the files of all others.
    pub fn listen(&self, app: &AppName, instances: &[(Slot, u16)]) -> Result<(), Error> {
        let place = self.app_dir(app);
        let directory = Directory::open(&place, &place)?;
        let access = Access::like(&place, 0o644);
        for (slot, port) in instances {
            directory.write(&format!("{IP}.{slot}"), LISTENING_HOST.as_bytes(), access)?;
            directory.write(&format!("{PORT}.{slot}"), port.to_string().as_bytes(), access)?;
        }
        let listens = |name: &str| instances.iter().any(|(slot, _)| is_of(name, slot));
        let others = names(&place, &KINDS)?;
        Ok(others.iter().filter(|name| !listens(name)).try_for_each(|name| directory.remove(name))?)
    }

    /// The ports on which native instances of a type listen, in the order of their numbers.
    pub fn listeners(&self, app: &AppName, process_type: &ProcessType) -> Result<Vec<u16>, Error> {
        let place = self.app_dir(app);
        let read =
            |kind: &str, slot: &Slot| state_file::read_text(&place.join(format!("{kind}.{slot}")), true);
        let mut found = Vec::new();
        for name in names(&place, &[IP])? {
            let slot = instance_of(&name).parse::<Slot>().ok().filter(|slot| is_of(&name, slot));
            let Some(slot) = slot.filter(|slot| slot.process_type == *process_type) else { continue };
            let at = read(IP, &slot)?;
            let port = read(PORT, &slot)?.and_then(|port| port.trim().parse().ok());
            found.extend(
                port.filter(|_| at.is_some_and(|at| at.trim() == LISTENING_HOST)).map(|port| (slot, port)),
            );
        }
        found.sort_unstable();
        Ok(found.into_iter().map(|(_, port)| port).collect())
    }

    /// Removes the files with the app's addresses, except those of containers; returns whether there were any.
    pub fn forget_listeners(&self, app: &AppName) -> Result<bool, Error> {
        let place = self.app_dir(app);
        let mut listening = names(&place, &KINDS)?;
        listening.retain(|name| {
            let suffix = name.find('.').map_or("", |at| &name[at..]);
            !place.join(format!("{CONTAINER}{suffix}")).exists()
        });
        if listening.is_empty() {
            return Ok(false);
        }
        let directory = Directory::open(&place, &place)?;
        listening.iter().try_for_each(|name| directory.remove(name))?;
        Ok(true)
    }

    /// Removes the files that name an app's containers, which have ended; the files with addresses stay.
    pub fn forget_containers(&self, app: &AppName) -> Result<(), Error> {
        let place = self.app_dir(app);
        let directory = Directory::open(&place, &place)?;
        Ok(names(&place, &[CONTAINER])?.iter().try_for_each(|name| directory.remove(name))?)
    }
}

/// Whether a file belongs to this instance. The file `CONTAINER`, `IP` or `PORT` without a number, which an old Dokku
/// wrote for a container, belongs to none.
fn is_of(name: &str, slot: &Slot) -> bool {
    name.split_once('.').is_some_and(|(_, instance)| instance == slot.to_string())
}
