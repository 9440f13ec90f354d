//! The requests on the control socket, and their answers.

use std::sync::Arc;

use balance::wire::{Report, Request, VERSION};

use crate::balancer::Balancer;
use crate::reach;
use crate::talk::Control;

/// Carries out one request from the client at the other end of `control`.
pub(crate) fn answer(balancer: &Arc<Balancer>, control: &Arc<Control>, request: Request) {
    match request {
        Request::Hello(greeting) if greeting.version == VERSION => {
            balancer.state().table.tell_again();
            balancer.controls.is_supervised_by(control);
        }
        Request::Hello(greeting) => refuse(
            control,
            format!("version {} of the protocol is not spoken here, but {VERSION}", greeting.version),
        ),
        Request::Set(set) => match balancer.set(&set) {
            Ok(drained) => {
                control.say(&Report::Applied { revision: set.revision });
                for drained in drained {
                    balancer.tell_drained(Some(drained));
                }
            }
            Err(error) => refuse(control, error.to_string()),
        },
        Request::Numbers {} => control.say(&Report::Numbers(balancer.numbers())),
        Request::Leave {} => balancer.begin_to_leave(),
        Request::Listeners {} => {
            let listeners = balancer.listeners();
            let addresses = listeners.iter().filter_map(|listener| listener.socket.local_addr().ok());
            control.hand_over_listeners(&Report::Listeners { addresses: addresses.collect() });
        }
        Request::Reach(wanted) => {
            let sockets = control.take_descriptors(wanted.listeners.len());
            let changed = reach::change(balancer, wanted, sockets);
            control.say(&Report::Reached { refused: changed.err().map(|error| format!("{error:#}")) });
        }
        Request::Upgrade {} => balancer.upgrade.notify_one(),
    }
}

fn refuse(control: &Control, reason: String) {
    control.say(&Report::Refused { reason });
}
