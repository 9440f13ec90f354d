//! Memory that grows steadily, from the history that a running `ps-web` records. Without a history nothing is reported.

use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;
use ps_apps::World;
use usage_history::History;

use super::thread::spawn;
use crate::message::Message;

/// The pause between two looks. Memory grows for hours, so a delay of minutes does not matter.
const PAUSE: Duration = Duration::from_secs(600);

/// Starts the thread.
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
