//! Threads that send messages.

use std::sync::mpsc::SyncSender;
use std::thread;

use crate::message::Message;

/// Starts a thread. If it panics, the program ends, so that the user does not look at a screen that never changes
/// again.
pub(crate) fn spawn(name: &'static str, to: &SyncSender<Message>, work: impl FnOnce() + Send + 'static) {
    let last = Ending(to.clone());
    let begun = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let last = last;
        work();
        drop(last);
    });
    if begun.is_err() {
        // Without this thread a part of the screen would stay empty for good, so the program ends.
        let _ = to.try_send(Message::Quit(ps_cli::exit::FAILED));
    }
}

/// Ends the program when it is dropped in a panic.
struct Ending(SyncSender<Message>);

impl Drop for Ending {
    fn drop(&mut self) {
        if thread::panicking() {
            let _ = self.0.send(Message::Quit(ps_cli::exit::FAILED));
        }
    }
}
