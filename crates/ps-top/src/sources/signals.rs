//! Signals as messages: the terminal is restored before the program ends or stops.

use std::io;
use std::sync::mpsc::SyncSender;

use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;

use super::thread::spawn;
use crate::message::Message;

/// Catches signals from now on.
pub(crate) fn catch(to: SyncSender<Message>) -> io::Result<()> {
    let mut signals = Signals::new([SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP])?;
    let last = to.clone();
    spawn("signals", &last, move || {
        for signal in signals.forever() {
            let message = match signal {
                SIGTSTP => Message::Suspend,
                SIGCONT => Message::Redraw,
                signal => Message::Quit(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
            };
            if to.send(message).is_err() {
                return;
            }
        }
    });
    Ok(())
}
