//! Who serves the address of an app at this moment (docs/supervisor.md#the-address).

use std::net::SocketAddr;
use std::path::PathBuf;

use os_process::{Holder, port_holder};
use ps_supervisor::{Spec, Statuses};

use crate::service::Service;

/// Who serves an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// The supervisor of the app, which starts `ps-balance` when a client comes.
    Supervised,
    /// `ps-balance` alone, with the list of instances that it was sent last. No supervisor runs.
    ByBalance,
    /// The holder keeps the sockets open for the next supervisor: clients wait until there is one.
    Held,
    /// Another process has the port.
    ByAnother(Holder),
    /// Nobody: clients are refused.
    Nobody,
}

impl Service {
    /// Who serves one of the app's addresses. Other processes are only looked at if no supervisor runs.
    pub fn served(&self, address: SocketAddr) -> Served {
        let is_supervised =
            Statuses::of(&self.directory).have_a_supervisor() || self.connect().is_some() || !self.is_free();
        if is_supervised {
            return Served::Supervised;
        }
        if ps_supervisor::balance_numbers(&self.directory).is_some() {
            return Served::ByBalance;
        }
        if ps_supervisor::is_held(&self.directory) {
            return Served::Held;
        }
        port_holder(address.port()).map_or(Served::Nobody, Served::ByAnother)
    }

    /// The directory of the certificate that clients of the app's address are shown; `None` if none of them speaks TLS. By the files of
    /// the app; no process is asked.
    pub fn shown_certificates(&self) -> Option<PathBuf> {
        let read = || Spec::read(&self.directory).ok();
        let spec = if self.world.inside_dokku() { None } else { read() };
        spec.filter(|spec| !spec.frontend.tls.is_empty()).map(|spec| spec.certificates)
    }
}
