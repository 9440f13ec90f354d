//! The run that is checked, what is needed to check it, and the message about a port on which it does not listen.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Instant;

use os_process::{Holder, Listeners, Listens, Tree};

use super::command::Runner;
use crate::spec::Spec;

/// The run that is checked, and what it takes to check it.
pub(crate) struct Asked<'a, 'b> {
    /// Its port. A check that needs a port fails without one.
    pub(crate) port: Option<u16>,
    /// When it was started.
    pub(crate) born: Instant,
    /// Its processes.
    pub(crate) tree: &'a Tree,
    /// Its main process.
    pub(crate) main: Option<u32>,
    /// Whether it is not ready yet. Then its port counts only if one of its own processes listens on it.
    pub(crate) is_starting: bool,
    /// The ports on which processes listen.
    pub(crate) listeners: &'a mut Listeners,
    /// Starts check commands.
    pub(crate) runner: &'a mut Runner<'b>,
    /// The spec in force. It has revision 0 until the first deploy of the app is committed.
    pub(crate) spec: &'a Spec,
}

/// Why a port is not listened on as it should be. Displays, for example, as `nobody listens on port 5000`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Nobody listens there.
    Nobody { port: u16 },
    /// Its processes listen, and elsewhere.
    Elsewhere { port: u16, own: BTreeSet<u16> },
    /// Somebody else listens there.
    Others { port: u16, holder: Option<Holder> },
}

impl Asked<'_, '_> {
    /// Who listens on a port.
    pub(crate) fn listens(&mut self, port: u16) -> Listens {
        if self.is_starting {
            return self.tree.listens(port, self.main, self.listeners, self.runner.killer.census);
        }
        match self.listeners.on(port, []) {
            Listens::Other => Listens::Unknown,
            found @ (Listens::Nobody | Listens::Own | Listens::Unknown) => found,
        }
    }

    /// Why its port is not listened on as it should be.
    pub(crate) fn missing(&mut self, port: u16) -> Missing {
        if self.listens(port) == Listens::Other {
            return Missing::Others { port, holder: os_process::port_holder(port) };
        }
        let pids = self.tree.pids(self.main, self.runner.killer.census);
        let own = self.listeners.ports_of(pids);
        if own.is_empty() { Missing::Nobody { port } } else { Missing::Elsewhere { port, own } }
    }

    /// What a person may do about a type that is expected to listen.
    pub(crate) fn way_out(&self, missing: &Missing) -> String {
        let process_type = &self.runner.run.slot.process_type;
        match missing {
            Missing::Elsewhere { own, .. } if own.len() == 1 => {
                let own = own.first().expect("there is one").to_string();
                let port = self.setting("port", &own, &own);
                // A first deploy with the setting gives the app no address. One that has an address keeps it.
                if self.spec.has_address(process_type) && self.spec.revision > 0 {
                    let app = &self.spec.app;
                    return format!(
                        "have it listen on $PORT, or go without an address: `ps-set {app} listen none` and {port}"
                    );
                }
                format!("have it listen on $PORT, or {port}")
            }
            Missing::Nobody { .. } | Missing::Elsewhere { .. } | Missing::Others { .. } => {
                let alive = self.setting("ready", "alive", "\"alive\"");
                format!("if {process_type} does not listen, {alive}")
            }
        }
    }

    /// How this type is given a setting: its name, and its value as a word and in JSON.
    fn setting(&self, name: &str, word: &str, json: &str) -> String {
        let process_type = &self.runner.run.slot.process_type;
        // Dokku has no such property, and an app whose first deploy fails does not exist afterwards.
        if self.spec.is_dokkus() || self.spec.revision == 0 {
            format!("set formation.{process_type}.{name} to {json} in app.json")
        } else {
            format!("`ps-set {} {process_type}.{name} {word}`", self.spec.app)
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody { port } => write!(f, "nobody listens on port {port}"),
            Self::Elsewhere { port, own } => write!(f, "it listens on {}, not on port {port}", ports(own)),
            Self::Others { port, holder } => {
                write!(f, "{}", others(&format!("port {port}"), holder.as_ref()))
            }
        }
    }
}

impl Missing {
    /// The same of an instance that must do nothing to become ready but listen, as what is said after its name.
    pub(crate) fn of_instance(&self) -> String {
        match self {
            Self::Nobody { port } => format!("runs but nobody listens on its port {port} (PORT)"),
            Self::Elsewhere { port, own } => {
                format!("runs and listens on {}, but not on its port {port} (PORT)", ports(own))
            }
            Self::Others { port, holder } => {
                format!("runs but {}", others(&format!("its port {port} (PORT)"), holder.as_ref()))
            }
        }
    }
}

/// `port 3000`, `ports 3000 and 9090`.
fn ports(ports: &BTreeSet<u16>) -> String {
    let words: Vec<String> = ports.iter().map(u16::to_string).collect();
    match &words[..] {
        [one] => format!("port {one}"),
        [most @ .., last] => format!("ports {} and {last}", most.join(", ")),
        [] => "no port".to_owned(),
    }
}

fn others(port: &str, holder: Option<&Holder>) -> String {
    let holder = holder.map_or_else(|| "somebody".to_owned(), Holder::to_string);
    format!("{port} is listened on by {holder} and by none of its own processes")
}
