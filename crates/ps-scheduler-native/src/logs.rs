//! Lines of output, from the logs of all slots.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::thread;
use std::time::{Duration, SystemTime};

use formation::{Slot, Stream};
use log_store::{Range, Reader, Series};
use ps_scheduler::{Error, LogLine, LogRequest};
use ps_service::{Service, backend};
use ps_supervisor::Status;

const STREAMS: [Stream; 2] = [Stream::Stdout, Stream::Stderr];
const LOOK_AGAIN: Duration = Duration::from_millis(100);

pub(crate) fn logs(
    service: &Service,
    request: &LogRequest,
    sink: &mut dyn FnMut(&LogLine) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut readers: BTreeMap<(Slot, Stream), Reader> = BTreeMap::new();
    let mut known = None;
    let mut range = Range { since: request.since, until: request.until, last: request.tail };
    loop {
        let now = identity(service);
        let is_gone = known.is_some() && now != known;
        let is_last_look = !request.follows(SystemTime::now()) || is_gone;
        known = now.or(known);
        for slot in service.slots()?.into_iter().filter(|slot| request.which.includes(slot)) {
            for stream in STREAMS {
                if let Entry::Vacant(vacant) = readers.entry((slot.clone(), stream)) {
                    let opened = Reader::open(log(service, &slot, stream), range);
                    vacant
                        .insert(opened.map_err(|error| backend(format!("read the log of {slot}"), &error))?);
                }
            }
        }
        // Logs that appear from now on are new and are read from their beginning.
        range = Range::default();
        for ((slot, stream), reader) in &mut readers {
            let handed = reader.hand_out(is_last_look, &mut |line| {
                let (slot, run) = (slot.clone(), Some(line.run));
                sink(&LogLine { slot, run, stream: *stream, bytes: line.bytes })
            });
            let handed = handed.map_err(|error| backend(format!("read the log of {slot}"), &error))?;
            if handed.is_break() {
                return Ok(());
            }
        }
        if is_last_look {
            return Ok(());
        }
        thread::sleep(LOOK_AGAIN);
    }
}

fn log(service: &Service, slot: &Slot, stream: Stream) -> Series {
    ps_supervisor::log(&service.instance(slot), stream)
}

/// The service directory: another one of that name is that of another app. `None`: there is none.
fn identity(service: &Service) -> Option<(u64, u64)> {
    let directory = service.directory.metadata().ok()?;
    Some((directory.dev(), directory.ino()))
}

/// The last lines that a run wrote.
pub(crate) fn last_words(service: &Service, run: &Status) -> String {
    run.last_words(&service.instance(&run.slot)).join("\n")
}
