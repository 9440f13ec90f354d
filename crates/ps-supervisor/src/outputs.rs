//! The two output streams of one run. An error with them (something else lies in the place of a FIFO, the directory is
//! gone, no descriptor is left) concerns this run alone: opening them is tried again until it works, and no other run is
//! affected.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use formation::Stream;
use log_store::{Capture, Limits, Lost, Moved, Place, is_held};

use crate::descriptors::Descriptors;
use crate::layout;
use crate::output::{self, Logs, Output};
use crate::pace::{Advice, Pace};
use crate::status;

const STREAMS: [Stream; 2] = [Stream::Stdout, Stream::Stderr];

/// The input and output of one run.
#[derive(Debug)]
pub(crate) struct Outputs {
    /// The slot's directory.
    slot: Arc<Path>,
    number: u64,
    /// The run in whose directory the FIFOs are: an earlier one of the slot, as long as the disk refuses to rename that directory.
    lies: u64,
    /// The run that began the logs.
    began: u64,
    /// Whether that run was never started, so that it has no logs yet.
    are_new: bool,
    limits: Limits,
    descriptors: Descriptors,
    output: Option<Output>,
    is_watched: bool,
    /// Whether the holder was told to hold them.
    is_told: bool,
    paces: [Pace; 2],
    waits: [bool; 2],
}

impl Outputs {
    /// The streams of a run that writes to the logs that run `began` began. They are not opened yet.
    pub(crate) fn new(slot: &Arc<Path>, number: u64, began: u64, descriptors: Descriptors) -> Self {
        let (slot, limits) = (Arc::clone(slot), Limits::default());
        let (paces, waits) = Default::default();
        let (lies, are_new, output, is_watched, is_told) = (number, false, None, false, false);
        Self {
            slot,
            number,
            lies,
            began,
            are_new,
            limits,
            descriptors,
            output,
            is_watched,
            is_told,
            paces,
            waits,
        }
    }

    /// The same, where the FIFOs are still in the directory of an earlier run.
    pub(crate) fn lying_at(self, lies: u64) -> Self {
        Self { lies, ..self }
    }

    /// The same of a run that begins logs of its own and was never started.
    pub(crate) fn of_new_run(slot: &Arc<Path>, number: u64, descriptors: Descriptors) -> Self {
        Self { are_new: true, ..Self::new(slot, number, number, descriptors) }
    }

    /// Sets the limits of the logs.
    pub(crate) fn limit(&mut self, limits: Limits) {
        self.limits = limits;
        for capture in self.output.as_mut().map(Output::captures).unwrap_or_default() {
            capture.limit(limits);
        }
    }

    /// The limits of the logs.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// The slot's directory.
    pub(crate) fn slot(&self) -> &Path {
        &self.slot
    }

    /// How many bytes of the two streams were dropped because the disk was full; `None` while they are not open.
    pub(crate) fn lost(&mut self) -> Option<Lost> {
        let captures = self.output.as_mut()?.captures();
        Some(captures.iter().map(Capture::lost).fold(Lost::default(), |all, one| Lost {
            dropped: all.dropped.saturating_add(one.dropped),
            in_doubt: all.in_doubt.saturating_add(one.in_doubt),
        }))
    }

    /// Moves what one stream has to its log, as much as one turn allows, and says when to look at the stream again.
    pub(crate) fn take(&mut self, index: usize, now: Instant) -> (io::Result<Moved>, Advice) {
        let captures = self.output.as_mut().map(Output::captures).unwrap_or_default();
        let Some(capture) = captures.get_mut(index) else { return (Ok(Moved::default()), Advice::GoOn) };
        let moved = capture.move_bytes();
        let bytes = moved.as_ref().map_or(0, |moved| moved.bytes);
        let advice = self.paces[index].after(now, bytes, capture.room());
        self.waits[index] = moved.is_err();
        (moved, advice)
    }

    /// Makes what counts losses ready, before the disk may be full.
    pub(crate) fn prepare_for_loss(&mut self) {
        let captures = self.output.as_mut().map(Output::captures).unwrap_or_default();
        captures.iter_mut().for_each(Capture::prepare_for_loss);
    }

    /// Makes the logs that are not there yet.
    pub(crate) fn make_logs(&mut self) {
        let captures = self.output.as_mut().map(Output::captures).unwrap_or_default();
        captures.iter_mut().for_each(Capture::make_log);
    }

    /// Whether a stream is blocked because its log cannot be written.
    pub(crate) fn any_waits(&self) -> bool {
        self.waits.contains(&true)
    }

    /// The same streams with this output already open.
    pub(crate) fn connected(self, output: Option<Output>) -> Self {
        Self { output, ..self }
    }

    /// Opens the logs, if they are not open.
    pub(crate) fn open(&mut self) -> Result<(), String> {
        if self.output.is_some() {
            return Ok(());
        }
        let directory = self.directory();
        make_directories(&directory, &self.slot)?;
        let (slot, number, began) = (&self.slot, self.lies, self.began);
        let output = Output::logs(&Logs { slot, number, began, are_new: self.are_new, limits: self.limits });
        self.are_new = false;
        let mut output = output.map_err(|error| error.to_string())?;
        let mut descriptors = output.captures().iter().flat_map(Capture::descriptors);
        descriptors.try_for_each(|fd| self.descriptors.admit(fd)).map_err(|errno| {
            format!("open the output in {}: {}", directory.display(), io::Error::from(errno))
        })?;
        drop(descriptors);
        self.output = Some(output);
        (self.is_watched, self.is_told) = (false, false);
        Ok(())
    }

    /// Prepares the streams for a new process. If something else has taken the place of a FIFO since it was opened, both
    /// FIFOs are created again, because no process has the old ones any more.
    pub(crate) fn prepare(&mut self) -> Result<(), String> {
        let directory = self.directory();
        let captures = self.output.as_mut().map(Output::captures).unwrap_or_default();
        let is_at =
            |(capture, stream): (&mut Capture, Stream)| capture.is_at(&output::fifo(&directory, stream));
        if !captures.iter_mut().zip(STREAMS).all(is_at) {
            self.close();
        }
        self.open()
    }

    /// Hands the streams to the next run in the same place, which writes to the same FIFOs and logs; data that the earlier
    /// run left in a FIFO are still read. The directory is renamed, which needs no room, so that a process can be restarted
    /// on a full disk. On a disk that takes nothing at all the FIFOs are used where they are, until [`Outputs::settle`] can rename it.
    /// Run 0 has no directory of its own: its FIFOs are removed, and its successor begins new logs.
    pub(crate) fn pass_to(&mut self, number: u64) {
        let before = self.directory();
        let is_first = std::mem::replace(&mut self.number, number) == 0;
        if self.is_piped() {
            return;
        }
        if is_first {
            self.lies = number;
            self.close();
            remove_fifos(&before);
            (self.began, self.are_new) = (number, true);
            return;
        }
        if let Err(error) = self.settle()
            && !(takes_nothing(&error) && before.is_dir())
        {
            // The directory was removed, or something else lies in its place.
            self.lies = number;
            self.close();
        }
    }

    /// Renames the directory of the FIFOs if it still has the name of an earlier run.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub(crate) fn settle(&mut self) -> io::Result<()> {
        if self.is_at_home() {
            return Ok(());
        }
        let before = self.directory();
        fs::rename(&before, layout::run_directory(&self.slot, self.number))?;
        self.lies = self.number;
        // How the earlier run ended is not how this one did.
        status::forget_exit(&self.directory());
        // The holder may not have come to open them under their earlier name.
        self.is_told = false;
        if let Some(output) = &mut self.output {
            output.pass_to(self.number);
        }
        Ok(())
    }

    /// Whether the FIFOs are in the run's own directory.
    pub(crate) fn is_at_home(&self) -> bool {
        self.lies == self.number
    }

    /// What a process is connected to, if the streams are open.
    pub(crate) fn output(&self) -> Option<&Output> {
        self.output.as_ref()
    }

    /// One stream, if it is open and has a log.
    pub(crate) fn stream(&mut self, index: usize) -> Option<&mut Capture> {
        self.output.as_mut()?.captures().get_mut(index)
    }

    /// The streams, once after each opening, for the event loop to watch.
    pub(crate) fn take_unwatched(&mut self) -> Option<&mut [Capture]> {
        let output = self.output.as_mut().filter(|_| !self.is_watched)?;
        self.is_watched = true;
        Some(output.captures())
    }

    /// The directory whose FIFOs the holder is to hold, once after each opening.
    pub(crate) fn take_untold(&mut self) -> Option<PathBuf> {
        let is_news =
            self.output.is_some() && !self.is_piped() && !std::mem::replace(&mut self.is_told, true);
        is_news.then(|| self.directory())
    }

    /// There is another holder, which knows of none.
    pub(crate) fn tell_again(&mut self) {
        self.is_told = false;
    }

    /// Reads what is left of the output of a process that ended while no supervisor lived. If no holder had kept the FIFO open, its
    /// content is lost, and it is unknown how much there was. As many bytes as the FIFO can hold are then reported as possibly lost.
    pub(crate) fn take_last_words(&mut self) {
        let directory = self.directory();
        let are_gone = STREAMS.map(|stream| is_held(&output::fifo(&directory, stream)) == Some(false));
        // One that cannot be opened is opened by the next start, if there is one.
        let _ = self.open();
        self.drain();
        let captures = self.output.as_mut().map(Output::captures).unwrap_or_default();
        for (capture, _) in captures.iter_mut().zip(are_gone).filter(|(_, is_gone)| *is_gone) {
            capture.doubt();
        }
    }

    /// Whether they are open.
    pub(crate) fn are_open(&self) -> bool {
        self.output.is_some()
    }

    /// Whether the output goes to the foreground program, so that there are neither FIFOs nor logs.
    pub(crate) fn is_piped(&self) -> bool {
        matches!(self.output, Some(Output::Pipe { .. }))
    }

    /// The run that began the logs. Two runs of a slot that live side by side write to different logs.
    pub(crate) fn began(&self) -> u64 {
        self.began
    }

    /// The directory of the FIFOs.
    pub(crate) fn directory(&self) -> PathBuf {
        layout::run_directory(&self.slot, self.lies)
    }

    /// The ends of the logs, if there are any.
    pub(crate) fn places(&self) -> Option<[Place; 2]> {
        self.output.as_ref().and_then(Output::places)
    }

    /// Moves the rest of the output into the logs, at most as much as a pipe can hold: more can only come from a process
    /// that still lives.
    pub(crate) fn drain(&mut self) {
        let captures = self.output.as_mut().map(Output::captures).unwrap_or_default();
        captures.iter_mut().for_each(Capture::drain);
    }

    /// Removes the files of the run, except its logs.
    pub(crate) fn remove(&mut self) {
        self.close();
        match self.number {
            0 => remove_fifos(&self.slot),
            // If the directory cannot be removed, it does no harm, because its number is not used again.
            _ => drop(fs::remove_dir_all(self.directory())),
        }
    }

    fn close(&mut self) {
        self.drain();
        self.output = None;
    }
}

/// Whether the file system refuses every change, so that trying it again helps only once somebody has mended that.
pub(crate) fn takes_nothing(error: &io::Error) -> bool {
    use rustix::io::Errno;

    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::ROFS | Errno::IO | Errno::NOSPC | Errno::DQUOT))
}

/// Removes the FIFOs of run 0. The slot's directory stays, and so do all other files in it.
fn remove_fifos(slot: &Path) {
    for path in STREAMS.map(|stream| output::fifo(slot, stream)) {
        if path.symlink_metadata().is_ok_and(|file| file.file_type().is_fifo()) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Makes a directory, and those above it that are missing, from `top` on. Nearly always those are there.
fn make_directories(directory: &Path, top: &Path) -> Result<(), String> {
    let told = |error: io::Error| format!("create {}: {error}", directory.display());
    match (make_directory(directory), directory.parent()) {
        (Err(error), Some(above)) if error.kind() == io::ErrorKind::NotFound && directory != top => {
            make_directories(above, top)?;
            make_directory(directory).map_err(told)
        }
        (made, _) => made.map_err(told),
    }
}

/// Makes the directory of an instance, with access for its owner alone. The service directory must exist.
pub(crate) fn make_directory(directory: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}
