//! The address of an app and its options, from its properties. Inside Dokku there are none, because Dokku's proxies
//! serve the clients.

use std::collections::BTreeMap;

use balance::{Frontend, OPTIONS, Options, PASS_SOCKET};
use formation::{Addresses, AppName};
use ps_apps::{LISTEN, TLS, World};

use crate::Error;

/// The address of an app, and its options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The addresses of the properties `listen` and `tls`; empty: clients use the ports of the instances.
    pub listen: Addresses,
    /// The options of the address.
    pub frontend: Frontend,
}

impl Reached {
    /// Whether the instances accept their clients themselves.
    pub fn passes_socket(&self) -> bool {
        self.frontend.options.pass_socket && !self.listen.is_empty()
    }

    /// Why `--require zero-failed` cannot be judged for an app that is reached like this: `ps-balance` has no part in its connections, and nobody
    /// else counts them. `None`: they are counted.
    pub fn uncounted(&self, app: &AppName) -> Option<String> {
        let uncounted = "so failed connections cannot be counted";
        if self.listen.is_empty() {
            return Some(format!(
                "{app} has no address, {uncounted}: give it one with ps-lifecycle deploy {app} --listen, or leave --require out"
            ));
        }
        self.passes_socket().then(|| {
            format!("the instances of {app} accept clients themselves ({PASS_SOCKET}), {uncounted}: leave --require out")
        })
    }

    /// The address by the properties of an app.
    ///
    /// # Errors
    /// The properties cannot be read. An invalid value counts as not set.
    pub fn of(world: &World, app: &AppName) -> Result<Self, Error> {
        Self::with(world, app, &BTreeMap::new())
    }

    /// The address as it will be once these properties have these values.
    ///
    /// # Errors
    /// As for [`Reached::of`].
    pub fn with(world: &World, app: &AppName, properties: &BTreeMap<String, String>) -> Result<Self, Error> {
        if world.inside_dokku() {
            return Ok(Self::default());
        }
        let value = |name: &str| match properties.get(name) {
            Some(value) => Ok(Some(value.clone())),
            None => world.ps_property(app, name),
        };
        let addresses = |name| Ok::<_, Error>(value(name)?.and_then(|words| words.parse::<Addresses>().ok()));
        let mut options = Options::default();
        for name in OPTIONS {
            if let Some(value) = value(name)? {
                // A value that was damaged by hand is ignored.
                let _ = options.set(name, &value);
            }
        }
        let tls = addresses(TLS)?.unwrap_or_default();
        let listen = all(addresses(LISTEN)?, &tls);
        Ok(Self { listen, frontend: Frontend { tls: tls.as_slice().to_vec(), options } })
    }
}

/// All addresses together. The value `none` of `listen` means no address.
fn all(listen: Option<Addresses>, tls: &Addresses) -> Addresses {
    if listen.as_ref().is_some_and(Addresses::is_empty) {
        return Addresses::default();
    }
    let mut all: Vec<_> = listen.map(|listen| listen.as_slice().to_vec()).unwrap_or_default();
    let beside: Vec<_> = tls.as_slice().iter().filter(|address| !all.contains(address)).copied().collect();
    all.extend(beside);
    all.into_iter().collect()
}
