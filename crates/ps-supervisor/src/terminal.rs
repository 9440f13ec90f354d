//! Pseudo-terminals for the output of instances in the foreground, one each. A program that tests whether its output is a
//! terminal keeps its colours and its line buffering. Output is not translated.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::{OptionalActions, OutputModes, Winsize};

/// The size if the foreground program has no terminal.
const USUAL: (u16, u16) = (24, 80);
/// The smallest number of columns.
const NARROW: u16 = 20;

/// Opens a pseudo-terminal: its master, which is nonblocking, and the end that processes write to.
pub(crate) fn open(indent: u16) -> io::Result<(OwnedFd, OwnedFd)> {
    let reader = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    rustix::pty::grantpt(&reader)?;
    rustix::pty::unlockpt(&reader)?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    let name = rustix::pty::ptsname(&reader, Vec::new())?;
    // It becomes nobody's controlling terminal, so Ctrl-C reaches us alone, and we end everything.
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let end = rustix::fs::openat(CWD, name, flags, Mode::empty())?;
    let mut modes = rustix::termios::tcgetattr(&end)?;
    modes.output_modes.remove(OutputModes::OPOST);
    rustix::termios::tcsetattr(&end, OptionalActions::Now, &modes)?;
    resize(&end, indent)?;
    Ok((reader, end))
}

/// Gives it the size of our terminal, less the width of the name before each line.
pub(crate) fn resize(end: impl AsFd, indent: u16) -> io::Result<()> {
    let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
    let ours = [stdout.as_fd(), stderr.as_fd(), stdin.as_fd()];
    let mut sizes = ours.into_iter().filter_map(|fd| rustix::termios::tcgetwinsize(fd).ok());
    // A terminal whose size was never set reports zero rows.
    let size = sizes.find(|size| size.ws_row > 0 && size.ws_col > 0);
    let (rows, columns) = size.map_or(USUAL, |size| (size.ws_row, size.ws_col));
    let ws_col = columns.saturating_sub(indent).max(NARROW);
    let size = Winsize { ws_row: rows, ws_col, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(rustix::termios::tcsetwinsize(end, size)?)
}
