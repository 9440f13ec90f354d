//! The memory that grows steadily, as the history says that a running `ps-web` keeps. Nothing is said where there is none.

use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use ps_apps::World;
use usage_history::History;

use super::thread::spawn;
use crate::message::Message;

/// How long lies between two looks. What grows for hours can wait for minutes.
const PAUSE: Duration = Duration::from_secs(600);

/// Begins to look, in a thread.
pub(crate) fn begin(world: &World, to: SyncSender<Message>) {
    let (path, last) = (world.web_dir().join("usage"), to.clone());
    spawn("growth", &last, move || {
        loop {
            let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default() / 60;
            let growing = History::look(&path).and_then(|history| history.growing(now)).unwrap_or_default();
            if to.send(Message::Growing(growing)).is_err() {
                return;
            }
            thread::sleep(PAUSE);
        }
    });
}
