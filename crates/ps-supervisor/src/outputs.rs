//! The two output streams of one instance. What is wrong with them (something else lies where a FIFO was, the directory is
//! gone, no descriptor is left) is trouble of this instance alone: it is tried again until it is right, and nobody
//! else hears of it.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use formation::Stream;
use log_store::Capture;

use crate::descriptors::Descriptors;
use crate::output::{self, Output};

const STREAMS: [Stream; 2] = [Stream::Stdout, Stream::Stderr];

/// The input and output of the instance of one directory.
#[derive(Debug)]
pub(crate) struct Outputs {
    directory: PathBuf,
    descriptors: Descriptors,
    output: Option<Output>,
    is_watched: bool,
}

impl Outputs {
    /// Logs that are not open yet.
    pub(crate) fn new(directory: &Path, descriptors: Descriptors) -> Self {
        Self { directory: directory.to_owned(), descriptors, output: None, is_watched: false }
    }

    /// This one.
    pub(crate) fn of(output: Output, directory: &Path, descriptors: Descriptors) -> Self {
        Self { output: Some(output), ..Self::new(directory, descriptors) }
    }

    /// Opens the logs, if nothing is open.
    pub(crate) fn open(&mut self) -> Result<(), String> {
        if self.output.is_some() {
            return Ok(());
        }
        make_directory(&self.directory)
            .map_err(|error| format!("create {}: {error}", self.directory.display()))?;
        let mut output = Output::logs(&self.directory).map_err(|error| error.to_string())?;
        let mut descriptors = output.captures().iter().flat_map(Capture::descriptors);
        descriptors.try_for_each(|fd| self.descriptors.admit(fd)).map_err(|errno| {
            format!("open the output in {}: {}", self.directory.display(), io::Error::from(errno))
        })?;
        drop(descriptors);
        self.output = Some(output);
        self.is_watched = false;
        Ok(())
    }

    /// Makes them ready for a new process. Where something else has taken the place of a FIFO since it was opened, both
    /// are made anew: nobody writes to the old ones any more.
    pub(crate) fn prepare(&mut self) -> Result<(), String> {
        let captures = self.output.as_mut().map(Output::captures).unwrap_or_default();
        let is_at =
            |(capture, stream): (&mut Capture, Stream)| capture.is_at(&output::fifo(&self.directory, stream));
        if !captures.iter_mut().zip(STREAMS).all(is_at) {
            self.drain();
            self.output = None;
        }
        self.open()
    }

    /// What a process is connected to, if it is open.
    pub(crate) fn output(&self) -> Option<&Output> {
        self.output.as_ref()
    }

    /// One stream, if it is open and flows into a log.
    pub(crate) fn stream(&mut self, index: usize) -> Option<&mut Capture> {
        self.output.as_mut()?.captures().get_mut(index)
    }

    /// The streams, the first time after they were opened.
    pub(crate) fn take_unwatched(&mut self) -> Option<&mut [Capture]> {
        let output = self.output.as_mut().filter(|_| !self.is_watched)?;
        self.is_watched = true;
        Some(output.captures())
    }

    /// Whether they are open.
    pub(crate) fn are_open(&self) -> bool {
        self.output.is_some()
    }

    /// Where the logs end, in bytes.
    pub(crate) fn offsets(&self) -> [u64; 2] {
        self.output.as_ref().map_or([0; 2], Output::offsets)
    }

    /// Takes over what was written last.
    pub(crate) fn drain(&mut self) {
        for capture in self.output.as_mut().map(Output::captures).unwrap_or_default() {
            let _ = capture.move_bytes();
        }
    }
}

/// Makes the directory of an instance, for us alone, in a service directory that is there.
pub(crate) fn make_directory(directory: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}
