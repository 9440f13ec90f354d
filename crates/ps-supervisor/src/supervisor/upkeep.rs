//! Logs that are rotated or emptied because somebody asks for it. Whoever holds the lock of the service directory does it: the
//! supervisor, or, where none lives, the program that was asked.

use std::io;
use std::path::Path;

use formation::{Slot, Stream};
use log_store::{Capture, Upkeep};

use super::{Supervisor, lock};
use crate::control::Message;
use crate::run::Run;
use crate::seat::Seat;
use crate::{Error, layout};

const STREAMS: [Stream; 2] = [Stream::Stdout, Stream::Stderr];

impl Supervisor {
    /// Does that to the logs of these slots, and says how many bytes it was about.
    #[inline(never)]
    pub(crate) fn keep_up_logs(&mut self, id: u64, slots: &[Slot], upkeep: Upkeep) {
        let (mut bytes, mut failed) = (0, Vec::new());
        for slot in slots {
            match self.keep_up_logs_of(slot, upkeep) {
                Ok(some) => bytes += some,
                Err(error) => failed.push(format!("{slot}: {error}")),
            }
            self.tidier
                .ask(self.service.join(slot.to_string()), self.means.spec.log_limits(&slot.process_type));
        }
        self.server.say(id, &Message::Logs { bytes, failed });
    }

    fn keep_up_logs_of(&mut self, slot: &Slot, upkeep: Upkeep) -> io::Result<u64> {
        let mut bytes = 0;
        for (index, stream) in STREAMS.into_iter().enumerate() {
            let series = layout::log(&self.service.join(slot.to_string()), stream);
            let runs = self.seats.get_mut(slot).into_iter().flat_map(Seat::runs_mut);
            let mut writers: Vec<&mut Capture> =
                runs.map(Run::outputs).filter_map(|outputs| outputs.stream(index)).collect();
            bytes += upkeep.carry_out(&series, &mut writers)?;
        }
        Ok(bytes)
    }

    /// The same for one slot of a service directory that has no supervisor. How many bytes it was about. What a process that
    /// lives all the same has in its pipe comes into the log later, with the next supervisor.
    ///
    /// # Errors
    /// [`Error::AlreadySupervised`]: a supervisor lives, and is the one to ask. The logs cannot be read, made or removed.
    pub fn keep_up_logs_without(service: &Path, slot: &Slot, upkeep: Upkeep) -> Result<u64, Error> {
        let _lock = lock::take(service)?;
        let directory = service.join(slot.to_string());
        let bytes = STREAMS.map(|stream| upkeep.carry_out(&layout::log(&directory, stream), &mut []));
        let bytes: io::Result<Vec<u64>> = bytes.into_iter().collect();
        Ok(bytes.map_err(|error| Error::io("keep the logs in", &directory, error))?.iter().sum())
    }
}
