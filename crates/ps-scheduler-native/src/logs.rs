//! Lines of output, from the logs of all slots.

mod bookmark;
mod outputs;
mod own;

use std::os::unix::fs::MetadataExt;
use std::time::{Duration, SystemTime};

use file_watch::Grown;
use ps_scheduler::{Error, LogRequest, LogSink};
use ps_service::Service;
use ps_supervisor::Status;

use crate::logs::outputs::Outputs;

pub(crate) fn logs(service: &Service, request: &LogRequest, sink: &mut dyn LogSink) -> Result<(), Error> {
    let mut known = None;
    let mut outputs = Outputs::of(service, request, identity(service));
    let mut grown = Grown::Anywhere;
    loop {
        let now = identity(service);
        let is_gone = known.is_some() && now != known;
        let is_last_look = !request.follows(SystemTime::now()) || is_gone;
        known = now.or(known);
        outputs.look(if is_last_look { &Grown::Anywhere } else { &grown })?;
        let is_enough = outputs.hand_out(is_last_look, sink)?.is_break()
            || sink.caught_up(&outputs.read_up_to()).is_break();
        if is_last_look || is_enough {
            return Ok(());
        }
        let until = request.until.and_then(|until| until.duration_since(SystemTime::now()).ok());
        grown = outputs.wait(until.unwrap_or(Duration::MAX));
    }
}

/// The identity of the service directory, which changes if another app gets the same name. `None` if there is no such
/// directory.
fn identity(service: &Service) -> Option<(u64, u64)> {
    let directory = service.directory.metadata().ok()?;
    Some((directory.dev(), directory.ino()))
}

/// The last lines that a run wrote.
pub(crate) fn last_words(service: &Service, run: &Status) -> String {
    run.last_words(&service.instance(&run.slot)).join("\n")
}
