//! The default addresses of apps: one table of the ports that were chosen, under one lock. Besides the ports in the specs of apps, it has
//! those that deploys in progress have chosen.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use durable::{Access, Directory, ReadError};
use formation::AppName;
use ps_scheduler::Error;
use ps_supervisor::Spec;

use crate::service::{Service, backend};

/// The first ports that are given to apps are the thousands: 5000, 6000 and so on. The ports of an app's instances lie above its thousand.
const THOUSANDS: std::ops::RangeInclusive<u16> = 5..=19;
/// The distance between two of these ports.
const APART: u16 = 1000;
/// Once no thousand is left, ports are given one by one, from this one on.
const SINGLE: u16 = 20_001;
const TABLE: &str = "ports.json";
/// The largest size of the table, in bytes.
const MOST_BYTES: u64 = 4 << 20;

/// Ports that would have been chosen, but are in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The first one, with the process that uses it.
    pub first: String,
    /// The number of the others.
    pub others: usize,
}

impl Service {
    /// The port of 127.0.0.1 for the app's address, and the earlier ports that are in use. The app keeps the
    /// port for as long as it exists, whether its deploy succeeds or not.
    ///
    /// # Errors
    /// The table cannot be read or written, or every port is held.
    pub fn choose_port(&self) -> Result<(u16, Option<Skipped>), Error> {
        let parent = self.parent();
        let fail = |error: &dyn std::fmt::Display| backend(format!("choose a port for {}", self.app), error);
        // First deploys choose the ports of their instances under the same lock.
        let _choosing = Directory::open(self.world.lib(), &parent).map_err(|error| fail(&error))?;
        let mut promised = self.promised()?;
        if let Some(port) = promised.get(self.app.as_str()) {
            return Ok((*port, None));
        }
        let owned = self.owned(&promised);
        let thousands = THOUSANDS.map(|thousand| thousand * APART).filter(|port| is_apart(*port, &owned));
        let others = (SINGLE..=u16::MAX).filter(|port| !owned.contains(port));
        let is_free = |port| ps_supervisor::can_listen(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let (port, skipped) = first_free(thousands.chain(others), is_free, |port| self.holder(port));
        let port = port.ok_or_else(|| fail(&"no port is free"))?;
        promised.insert(self.app.to_string(), port);
        let table = self.table();
        let directory = table.parent().expect("it lies in a directory");
        let directory = Directory::open(self.world.lib(), directory).map_err(|error| fail(&error))?;
        let json = serde_json::to_vec(&promised).expect("names and numbers");
        directory
            .write(TABLE, &json, Access::like(self.world.root(), 0o600))
            .map_err(|error| fail(&error))?;
        Ok((port, skipped))
    }

    /// The first port for this app's instances, if none was chosen: the thousand that is reserved for the app, or the first thousand that no
    /// other app uses; 0 if there is none.
    ///
    /// # Errors
    /// The table cannot be read.
    pub fn free_base(&self) -> Result<u16, Error> {
        let promised = self.promised()?;
        if let Some(port) = promised.get(self.app.as_str()) {
            return Ok(if *port < SINGLE { *port } else { 0 });
        }
        let owned = self.owned(&promised);
        let free = THOUSANDS.map(|thousand| thousand * APART).find(|port| is_apart(*port, &owned));
        Ok(free.unwrap_or(0))
    }

    /// The reserved ports of apps that exist, by app.
    fn promised(&self) -> Result<BTreeMap<String, u16>, Error> {
        let table = self.table();
        let fail = |error: &dyn std::fmt::Display| backend(format!("read {}", table.display()), error);
        let bytes = match durable::state(&table, MOST_BYTES) {
            Err(ReadError::Missing) => return Ok(BTreeMap::new()),
            bytes => bytes.map_err(|error| fail(&error))?,
        };
        // A file that was damaged by hand counts as empty.
        let mut promised: BTreeMap<String, u16> = serde_json::from_slice(&bytes).unwrap_or_default();
        let exists =
            |name: &str| name.parse::<AppName>().is_ok_and(|app| self.world.is_app(&app).unwrap_or(true));
        promised.retain(|name, _| exists(name));
        Ok(promised)
    }

    /// The ports of other apps, reserved or in their specs.
    fn owned(&self, promised: &BTreeMap<String, u16>) -> Vec<u16> {
        let entries = fs::read_dir(self.parent()).into_iter().flatten().flatten();
        let specs = entries.filter(|entry| entry.file_name().to_str() != Some(self.app.as_str()));
        let of_spec = |path: PathBuf| {
            let ports = Spec::ports_in(&path).unwrap_or_default();
            ports.into_iter().filter(|port| *port != 0)
        };
        let of_others = promised.iter().filter(|(name, _)| **name != *self.app.as_str());
        specs.flat_map(|entry| of_spec(entry.path())).chain(of_others.map(|(_, port)| *port)).collect()
    }

    /// Why the port cannot be listened on: the text names the process that holds it. `None` if it is free.
    fn holder(&self, port: u16) -> Option<String> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let spec = Spec::of_address(self.app.as_str(), &self.directory, vec![address]);
        ps_supervisor::address_refusal(&spec, None, &self.directory)
    }

    fn table(&self) -> PathBuf {
        self.world.lib().join("data/formation").join(TABLE)
    }
}

fn is_apart(port: u16, owned: &[u16]) -> bool {
    owned.iter().all(|other| other.abs_diff(port) >= APART)
}

/// The first port that is free, and those before it. Only for the first occupied port is the process looked up that holds it: the look-up
/// takes as long as reading the descriptors of all processes, and a machine with many apps has many ports in use. If `holder` returns `None`
/// for it, the app itself has that port, and gets it again.
fn first_free(
    ports: impl Iterator<Item = u16>,
    is_free: impl Fn(u16) -> bool,
    holder: impl Fn(u16) -> Option<String>,
) -> (Option<u16>, Option<Skipped>) {
    let mut skipped: Option<Skipped> = None;
    for port in ports {
        if is_free(port) {
            return (Some(port), skipped);
        }
        match &mut skipped {
            Some(skipped) => skipped.others += 1,
            None => match holder(port) {
                Some(first) => skipped = Some(Skipped { first, others: 0 }),
                None => return (Some(port), None),
            },
        }
    }
    (None, skipped)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::{Skipped, first_free};

    #[test]
    fn who_has_a_port_is_asked_once_however_many_are_in_use() {
        let asked = Cell::new(0);
        let holder = |port| {
            asked.set(asked.get() + 1);
            Some(format!("port {port} is held by nginx"))
        };
        let (port, skipped) = first_free(20_001..=65_535, |port| port > 21_000, holder);
        assert_eq!(port, Some(21_001));
        let first = "port 20001 is held by nginx".to_owned();
        assert_eq!(skipped, Some(Skipped { first, others: 999 }));
        assert_eq!(asked.get(), 1);
    }

    #[test]
    fn what_the_app_has_itself_is_its_own_and_with_all_in_use_there_is_none() {
        assert_eq!(first_free(5..9, |_| false, |_| None), (Some(5), None));
        assert_eq!(first_free(5..9, |_| false, |port| Some(port.to_string())).0, None);
        assert_eq!(first_free(5..9, |_| true, |_| None), (Some(5), None));
    }
}
