//! Shows what hooks write to stderr at once, and keeps a copy. A separate `tee` between the hooks and our stderr does
//! this. If this process did it, a hook that outlives it would be killed by SIGPIPE as soon as it writes, because
//! hooks run on when the command that called them is killed.

use std::env;
use std::fs::File;
use std::io::{self, PipeWriter, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};

use crate::child;

/// How many bytes are kept: the last ones that were written.
const KEPT: u64 = 256 * 1024;
/// How long to wait for `tee` to end after the last hook has ended, so that its last output is read. A process that a
/// hook left behind may keep the pipe open for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A `tee` between hooks and our stderr.
pub(crate) struct Echo {
    tee: Child,
    kept: File,
}

impl Echo {
    /// Starts a `tee`, and returns it with the pipe to which hooks write. `None` if there is no `tee`; then nothing
    /// is kept.
    pub(crate) fn start() -> Option<(Self, PipeWriter)> {
        let (reader, writer) = io::pipe().ok()?;
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        let kept = File::from(rustix::fs::open(env::temp_dir(), flags, Mode::RUSR | Mode::WUSR).ok()?);
        let path = format!("/proc/{}/fd/{}", std::process::id(), kept.as_raw_fd());
        let stderr = io::stderr().as_fd().try_clone_to_owned().ok()?;
        let mut tee = Command::new("tee");
        // `tee` ignores Ctrl-C, so that what the hooks print about it is still shown.
        tee.args(["-i", "-a", &path]).stdin(reader).stdout(stderr).stderr(Stdio::null());
        Some((Self { tee: tee.spawn().ok()?, kept }, writer))
    }

    /// The last lines that hooks wrote. It must be called after the hooks have ended and this process has closed its
    /// end of the pipe; otherwise `tee` does not end, and this call waits a second for it in vain.
    pub(crate) fn words(mut self) -> String {
        if child::has_ended_by(&self.tee, Instant::now() + LAST_WORDS) {
            let _ = self.tee.wait();
        }
        self.end_of_it().unwrap_or_default()
    }

    fn end_of_it(&mut self) -> io::Result<String> {
        let skipped = self.kept.metadata()?.len().saturating_sub(KEPT);
        self.kept.seek(SeekFrom::Start(skipped))?;
        let mut bytes = Vec::new();
        (&self.kept).take(KEPT).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let whole = if skipped > 0 { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
        Ok(whole.trim_end().to_owned())
    }
}
