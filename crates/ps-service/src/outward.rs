//! The default addresses of apps: one table, under one lock, of the ports that were chosen. It has those that deploys
//! in progress have chosen, in addition to those in the specs of apps.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use durable::{Access, Directory, ReadError};
use formation::AppName;
use ps_scheduler::Error;
use ps_supervisor::Spec;

use crate::service::{Service, backend};

/// The thousands that are given to apps one after the other: the other ports of the app lie above.
const THOUSANDS: std::ops::RangeInclusive<u16> = 5..=19;
/// How many ports an app has that has a thousand.
const APART: u16 = 1000;
/// From here on ports are given one by one, once no thousand is left.
const SINGLE: u16 = 20_001;
const TABLE: &str = "ports.json";
/// What the table may have.
const MOST_BYTES: u64 = 4 << 20;

impl Service {
    /// The port of 127.0.0.1 for the app's address, and messages about earlier ports that are in use, with the processes that use them. The app keeps the
    /// port for as long as it exists, whether its deploy succeeds or not.
    ///
    /// # Errors
    /// The table cannot be read or written, or every port is held.
    pub fn choose_port(&self) -> Result<(u16, Vec<String>), Error> {
        let parent = self.parent();
        let fail = |error: &dyn std::fmt::Display| backend(format!("choose a port for {}", self.app), error);
        // First deploys choose the ports of their instances under the same lock.
        let _choosing = Directory::open(self.world.lib(), &parent).map_err(|error| fail(&error))?;
        let mut promised = self.promised()?;
        if let Some(port) = promised.get(self.app.as_str()) {
            return Ok((*port, Vec::new()));
        }
        let (owned, mut held) = (self.owned(&promised), Vec::new());
        let thousands = THOUSANDS.map(|thousand| thousand * APART).filter(|port| is_apart(*port, &owned));
        let others = (SINGLE..=u16::MAX).filter(|port| !owned.contains(port));
        let port = thousands.chain(others).find(|port| match self.holder(*port) {
            None => true,
            Some(reason) => {
                held.push(reason);
                false
            }
        });
        let port = port.ok_or_else(|| fail(&"no port is free"))?;
        promised.insert(self.app.to_string(), port);
        let table = self.table();
        let directory = table.parent().expect("it lies in a directory");
        let directory = Directory::open(self.world.lib(), directory).map_err(|error| fail(&error))?;
        let json = serde_json::to_vec(&promised).expect("names and numbers");
        directory
            .write(TABLE, &json, Access::like(self.world.root(), 0o600))
            .map_err(|error| fail(&error))?;
        Ok((port, held))
    }

    /// The first port of this app's instances, if none was chosen: the thousand that is reserved for it, or the first thousand that no other
    /// app uses; 0 if there is none.
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

    /// The ports of apps that exist, by what was promised.
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

    /// What other apps have.
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

    /// Why the port cannot be listened on.
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
