//! Ends a program that follows something as soon as nobody reads its output. Otherwise `ps-logs -f | head -1` would end only when another line is
//! written, which may be never: only the next write notices that a pipe has no reader.

use std::io;
use std::os::fd::AsFd;
use std::process;
use std::thread;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::retry_on_intr;

use super::DONE;

/// From now on the program ends with exit status 0, as after any broken pipe, when the last reader of its stdout has gone. It may end at any
/// instruction, so only programs that change nothing, or that may be killed at any time, may call this. If stdout is a file or a terminal, this has
/// no effect. If no thread can be started, the next write notices instead.
pub fn end_with_reader() {
    let _ = thread::Builder::new().name("reader".to_owned()).spawn(|| {
        if is_left_by_its_reader(&io::stdout()) {
            end();
        }
    });
}

/// Waits until nobody reads from this pipe or socket any more. False if that cannot be found out.
fn is_left_by_its_reader(out: &impl AsFd) -> bool {
    // A pipe without a reader is reported as an error, a socket whose other side is closed as a hang-up. poll(2) reports both even if no events are
    // requested.
    let mut polled = [PollFd::new(out, PollFlags::empty())];
    let waited = retry_on_intr(|| poll(&mut polled, None));
    waited.is_ok() && polled[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}

#[expect(clippy::exit, reason = "the thread that prints is asleep until there is something to print")]
fn end() {
    process::exit(DONE.into());
}

#[cfg(test)]
mod tests {
    use std::io::pipe;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_pipe_and_a_socket_are_left_once_their_last_reader_is_gone_and_not_before() {
        let (reader, writer) = pipe().expect("a pipe");
        let (other, socket) = UnixStream::pair().expect("sockets");
        let second = reader.try_clone().expect("another reader");
        let (tell, told) = channel();
        let tell_too = tell.clone();
        thread::spawn(move || tell.send(("pipe", is_left_by_its_reader(&writer))));
        drop(reader);
        assert_eq!(told.recv_timeout(Duration::from_millis(50)), Err(RecvTimeoutError::Timeout), "one reads");
        drop(second);
        assert_eq!(told.recv(), Ok(("pipe", true)));
        thread::spawn(move || tell_too.send(("socket", is_left_by_its_reader(&socket))));
        drop(other);
        assert_eq!(told.recv(), Ok(("socket", true)));
    }
}
