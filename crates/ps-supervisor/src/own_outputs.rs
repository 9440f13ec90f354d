//! The files into which an instance writes its output itself. Its supervisor gets nothing of it then, so whoever starts the program of the
//! instance notes the files in the directory of the slot, and readers of logs find the lines there. `ps-pm2` does so, because scripts look
//! for the logs of its apps where pm2 has them. Files that hold the pid of the instance are noted too: the supervisor removes them when
//! the process has ended, so that no script signals a process that got the number later.

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use formation::Stream;
use serde::{Deserialize, Serialize};

use crate::layout::MAX_FILE_BYTES;

const FILE: &str = "own-outputs.json";
const FORMAT: u32 = 1;
/// How much of the end of a file is read for its last lines, in bytes, and how many characters of a line are shown.
const PAST: u64 = 16 << 10;
const LINE: usize = 300;

/// The files of both streams.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnOutputs {
    format: u32,
    stdout: OwnOutput,
    stderr: OwnOutput,
    /// The files that hold its pid.
    #[serde(default)]
    pid_files: Vec<PathBuf>,
}

/// The file of one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnOutput {
    /// The file.
    pub path: PathBuf,
    /// Its length when the run was started that writes there now, in bytes. What that run has written follows.
    pub begin: u64,
}

impl OwnOutputs {
    /// Those of a run that is being started now, with the lengths that the files have.
    pub fn begun(stdout: PathBuf, stderr: PathBuf) -> Self {
        let of = |path: PathBuf| OwnOutput { begin: path.metadata().map_or(0, |file| file.len()), path };
        Self { format: FORMAT, stdout: of(stdout), stderr: of(stderr), pid_files: Vec::new() }
    }

    /// The same with the files that hold the pid of the run, in decimal digits.
    #[must_use]
    pub fn with_pid_files(self, pid_files: Vec<PathBuf>) -> Self {
        Self { pid_files, ..self }
    }

    /// Removes the files of a slot that hold the pid of a process which has ended.
    pub(crate) fn forget_pid(slot: &Path, pid: u32) {
        for file in Self::read(slot).into_iter().flat_map(|noted| noted.pid_files) {
            os_process::forget_pid(&file, pid);
        }
    }

    /// Those of the slot with this directory; `None` if its supervisor takes its output, or if what is noted makes no sense.
    pub fn read(slot: &Path) -> Option<Self> {
        let bytes = durable::state(&slot.join(FILE), MAX_FILE_BYTES).ok()?;
        serde_json::from_slice(&bytes).ok().filter(|noted: &Self| noted.format == FORMAT)
    }

    /// Notes them in the directory of a slot.
    ///
    /// # Errors
    /// The file cannot be written, or a path is not UTF-8.
    pub fn note(&self, slot: &Path) -> io::Result<()> {
        durable::refresh(slot, FILE, &serde_json::to_vec(self)?)
    }

    /// The file of a stream.
    pub fn of(&self, stream: Stream) -> &OwnOutput {
        match stream {
            Stream::Stdout => &self.stdout,
            Stream::Stderr => &self.stderr,
        }
    }
}

impl OwnOutput {
    /// The last lines that the present run has written, at most `count`, with control characters replaced. What cannot be read is missing.
    pub(crate) fn last_lines(&self, count: usize) -> Vec<String> {
        let Ok(bytes) = self.end() else { return Vec::new() };
        let text = String::from_utf8_lossy(&bytes);
        let mut lines: Vec<&str> = text.lines().collect();
        if bytes.len() as u64 == PAST && lines.len() > 1 {
            // Reading began in the middle of it.
            lines.remove(0);
        }
        let shown = |line: &str| -> String {
            let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
            line.chars().take(LINE).map(visible).collect()
        };
        lines.split_off(lines.len().saturating_sub(count)).into_iter().map(shown).collect()
    }

    fn end(&self) -> io::Result<Vec<u8>> {
        let mut file = durable::open(&self.path).map_err(io::Error::other)?;
        let end = file.metadata()?.len();
        // A file that is shorter was emptied since.
        let begin = if self.begin > end { 0 } else { self.begin };
        file.seek(SeekFrom::Start(begin.max(end.saturating_sub(PAST))))?;
        let mut bytes = Vec::new();
        file.take(PAST).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_last_lines_are_those_of_the_run_that_was_started_last_and_of_a_file_that_was_emptied_all() {
        let place = tempfile::tempdir().expect("a directory");
        let (out, err) = (place.path().join("out.log"), place.path().join("err.log"));
        fs::write(&out, "of an earlier run\n").expect("written");
        OwnOutputs::begun(out.clone(), err).note(place.path()).expect("noted");
        let noted = OwnOutputs::read(place.path()).expect("it is there");
        assert_eq!(noted.of(Stream::Stdout).last_lines(9), [""; 0]);
        fs::write(&out, "of an earlier run\none\ntwo\u{7}\n").expect("written");
        assert_eq!(noted.of(Stream::Stdout).last_lines(1), ["two\u{fffd}"]);
        assert_eq!(noted.of(Stream::Stdout).last_lines(9), ["one", "two\u{fffd}"]);
        fs::write(&out, "anew\n").expect("written");
        assert_eq!(noted.of(Stream::Stdout).last_lines(9), ["anew"]);
        assert_eq!(noted.of(Stream::Stderr).last_lines(9), [""; 0], "there is no such file");
        fs::write(place.path().join(FILE), r#"{"format":2}"#).expect("written");
        assert_eq!(OwnOutputs::read(place.path()), None);
    }
}
