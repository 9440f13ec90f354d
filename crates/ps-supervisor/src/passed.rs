//! The listening sockets of an app's address that its instances are given, in the way of systemd (sd_listen_fds(3)): the first is
//! descriptor 3, `LISTEN_FDS` says how many there are, `LISTEN_FDNAMES` names each after the type, and `LISTEN_PID` is the pid
//! of the process that they are for. That pid is known only to the process itself, so our own program is started first, sets it
//! and executes the command ([`crate::launch`]).
//!
//! All instances have the same sockets: the kernel keeps one queue for them, and whoever accepts first has the client. The
//! sockets do not block. If they did, an instance that is told of a client would wait in accept(2) for the next one where another instance was faster.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use env_files::Environment;
use formation::{FIRST_TYPE, ProcessType, Slot};

use crate::address::Socket;
use crate::spec::Spec;

/// The variable with the pid of the process that the sockets are for.
pub(crate) const PID: &str = "LISTEN_PID";

impl Spec {
    /// Whether instances of this type get the sockets of the app's address, and accept their clients themselves.
    pub fn passes_sockets(&self, process_type: &ProcessType) -> bool {
        self.leaves_clients_to_instances() && process_type.as_str() == FIRST_TYPE
    }

    /// Whether the app's address is served by its instances themselves, without `ps-balance`. An app whose instances another scheduler has
    /// never is: sockets are passed to processes of this machine.
    pub(crate) fn leaves_clients_to_instances(&self) -> bool {
        self.frontend.options.pass_socket && !self.listen.is_empty() && !self.processes.is_empty()
    }
}

/// The sockets that the process of a slot is given, in the order in which the app's addresses were named; none for a type that gets none.
///
/// # Errors
/// The app does not listen on one of its addresses, for people.
pub(crate) fn sockets(spec: &Spec, slot: &Slot, all: &[Socket]) -> Result<Vec<Arc<OwnedFd>>, String> {
    let wanted = spec.listen.iter().filter(|_| spec.passes_sockets(&slot.process_type));
    let socket = |address| {
        let found = all.iter().find(|(known, _)| known == address);
        let missing = || format!("{slot} cannot be given the socket of {address}, on which nobody listens");
        found.map(|(_, socket)| Arc::clone(socket)).ok_or_else(missing)
    };
    wanted.map(socket).collect()
}

/// The variables about these sockets. `LISTEN_PID` is not among them.
pub(crate) fn tell(mut environment: Environment, slot: &Slot, sockets: &[Arc<OwnedFd>]) -> Environment {
    if !sockets.is_empty() {
        let names = vec![slot.process_type.as_str(); sockets.len()].join(":");
        environment.set("LISTEN_FDS", sockets.len().to_string());
        environment.set("LISTEN_FDNAMES", names);
    }
    environment
}
