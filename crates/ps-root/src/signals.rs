//! Signals as something to wait for.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;

/// A stream that becomes readable when one of these signals arrives.
pub(crate) fn wake(signals: &[i32]) -> io::Result<UnixStream> {
    let (read, write) = UnixStream::pair()?;
    read.set_nonblocking(true)?;
    for signal in signals {
        signal_hook::low_level::pipe::register(*signal, write.try_clone()?)?;
    }
    Ok(read)
}

/// Reads what has come, which says nothing but that something has.
pub(crate) fn drain(mut stream: &UnixStream) {
    let mut buffer = [0; 256];
    while matches!(stream.read(&mut buffer), Ok(length) if length > 0) {}
}
