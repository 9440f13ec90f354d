//! Takes over the connections and counts of the program that ran before in this process.

use std::os::fd::AsFd;
use std::sync::Arc;

use anyhow::{Context, Result};
use balance::Options;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use crate::balancer::{Balancer, Sockets};
use crate::carried::{CarriedConnection, CarriedDirection, CarriedStage};
use crate::claim::{Claim, Presence};
use crate::connection::{Connection, Relay, Stage};
use crate::direction::Direction;
use crate::handover::{self, Description, Unpacked};
use crate::listen::Listener;
use crate::talk::Control;
use crate::{control, dial, upgrade};

/// The sockets that are there at the start, and what goes on once the balancer is made.
#[derive(Debug)]
pub(crate) struct Resumed {
    pub(crate) sockets: Sockets,
    /// How connections are handed on, where that was said since the start.
    pub(crate) options: Option<Options>,
    pub(crate) rest: (Description, Unpacked),
}

/// Takes what the program before has left in stdin.
pub(crate) fn take() -> Result<Resumed> {
    let (mut description, mut unpacked) = handover::unpack(std::io::stdin().as_fd()).context("take over")?;
    upgrade::forget_socket();
    let mut listeners = Vec::new();
    for _ in 0..description.listeners {
        // Listeners with TLS are not handed over in an upgrade.
        let socket = TcpListener::from_std(unpacked.next()?)?;
        listeners.push(Arc::new(Listener { socket, tls: None }));
    }
    let control =
        if description.has_control { Some(UnixListener::from_std(unpacked.next()?)?) } else { None };
    let options = description.options.take();
    Ok(Resumed { sockets: Sockets { listeners, control }, options, rest: (description, unpacked) })
}

/// Goes on with everything that was open.
pub(crate) fn go_on(balancer: &Arc<Balancer>, rest: (Description, Unpacked)) -> Result<()> {
    let (Description { carried, controls, told, connections, .. }, mut unpacked) = rest;
    let is_of = |it: &CarriedConnection| match it.stage {
        CarriedStage::Relaying { key, .. } => Some(key),
        CarriedStage::Arriving { .. } => None,
    };
    balancer.carry_on(carried, &connections.iter().filter_map(is_of).collect::<Vec<_>>());
    let mut resumed = Vec::new();
    for carried in controls {
        let stream = UnixStream::from_std(unpacked.next()?)?;
        resumed.push(Arc::new(Control::carried(stream, carried)));
    }
    balancer.controls.carry_on(told, &resumed);
    for it in resumed {
        tokio::spawn(control::serve(Arc::clone(balancer), it));
    }
    for carried in connections {
        connection(balancer, &mut unpacked, &carried)?;
    }
    Ok(())
}

fn connection(balancer: &Arc<Balancer>, unpacked: &mut Unpacked, carried: &CarriedConnection) -> Result<()> {
    let client = TcpStream::from_std(unpacked.next()?)?;
    let stage = match &carried.stage {
        CarriedStage::Arriving { head } => {
            let head = unpacked.residue(*head).context("read what was on its way")?;
            Stage::Arriving { client, head }
        }
        CarriedStage::Relaying { key, up, down } => {
            let backend = TcpStream::from_std(unpacked.next()?)?;
            let (up, down) = (direction(unpacked, up)?, direction(unpacked, down)?);
            Stage::Relaying(Relay { key: *key, client, backend, up, down })
        }
    };
    let connection = Arc::new(Connection::at(stage, carried.peer, carried.arrived));
    balancer.enter_again(carried.number, &connection);
    let presence = Presence::new(balancer, carried.number);
    let task = match carried.stage {
        CarriedStage::Arriving { .. } => {
            tokio::spawn(dial::serve(Arc::clone(balancer), Arc::clone(&connection), presence))
        }
        CarriedStage::Relaying { key, .. } => {
            let claim = Claim::of(balancer, &connection.work, key);
            tokio::spawn(dial::relay(Arc::clone(balancer), Arc::clone(&connection), presence, claim))
        }
    };
    connection.work.is_done_by(task.abort_handle());
    Ok(())
}

fn direction(unpacked: &mut Unpacked, carried: &CarriedDirection) -> Result<Direction> {
    let residue = unpacked.residue(carried.residue).context("read what was on its way")?;
    Ok(Direction::going_on(carried.flow, carried.bytes, residue))
}
