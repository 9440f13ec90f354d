//! One life of the process: the steps that happen first, one thread for each thing that goes on, and the first
//! event that ends it all.

use std::fs::OpenOptions;
use std::hint::black_box;
use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::args::Args;
use crate::{log, notify, say, server, tree};

/// What a thread reports when there is something to report.
enum Event {
    Told(&'static str),
    Expired,
    Written,
    Failed(io::Error),
}

/// Does what `args` say, and returns the exit status: 0 when told to end, `--exit-code` otherwise.
/// An error is whatever could not be done, with what it was about; a broken pipe is one of them.
pub(crate) fn until_the_end(args: &Args) -> io::Result<u8> {
    if args.detach {
        return tree::detach(args).map(|()| 0);
    }
    let (sender, events) = mpsc::channel();
    watch_signals(args.ignore_term, sender.clone())?;
    if let Some(text) = &args.say {
        say::line(text)?;
    }
    if args.close_fds {
        close_standard_streams()?;
    }
    let memory = args.alloc.map(touch).transpose()?;
    tree::start(args)?;
    start_threads(args, &sender)?;
    let code = wait(args, &events)?;
    black_box(memory);
    Ok(code)
}

fn wait(args: &Args, events: &Receiver<Event>) -> io::Result<u8> {
    if !args.lasts() && args.log_lines.is_none() {
        return Ok(args.exit_code);
    }
    for event in events {
        match event {
            Event::Told(signal) => {
                // Whoever sent the signal may have closed the other end already.
                say::line(&format!("{}: {signal}, ending", say::name())).ok();
                return Ok(0);
            }
            Event::Written if args.lasts() => {}
            Event::Written | Event::Expired => return Ok(args.exit_code),
            Event::Failed(error) => return Err(error),
        }
    }
    Ok(args.exit_code)
}

fn start_threads(args: &Args, sender: &Sender<Event>) -> io::Result<()> {
    if let Some(listen) = args.listen {
        let server = server::Server::from(args, listen)?;
        in_thread(sender, move || server.serve().map(|()| None));
    }
    if let Some(every) = args.tick {
        in_thread(sender, move || log::tick(every).map(|()| None));
    }
    if let Some(lines) = log::Lines::from(args) {
        in_thread(sender, move || lines.write().map(|()| Some(Event::Written)));
    }
    if let Some(after) = args.ready_after {
        in_thread(sender, move || notify::ready(after).map(|()| None));
    }
    if let Some(after) = args.exit_after {
        in_thread(sender, move || expire(after));
    }
    Ok(())
}

fn in_thread(sender: &Sender<Event>, work: impl FnOnce() -> io::Result<Option<Event>> + Send + 'static) {
    let sender = sender.clone();
    thread::spawn(move || {
        if let Some(event) = work().unwrap_or_else(|error| Some(Event::Failed(error))) {
            // The receiver is gone only when the process is ending anyway.
            sender.send(event).ok();
        }
    });
}

#[expect(clippy::unnecessary_wraps, reason = "the shape that in_thread runs")]
fn expire(after: Duration) -> io::Result<Option<Event>> {
    thread::sleep(after);
    Ok(Some(Event::Expired))
}

fn watch_signals(ignore_term: bool, sender: Sender<Event>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let name = if signal == SIGTERM { "TERM" } else { "INT" };
            if signal == SIGTERM && ignore_term {
                say::line(&format!("{}: {name}, ignored", say::name())).ok();
            } else {
                sender.send(Event::Told(name)).ok();
            }
        }
    });
    Ok(())
}

fn touch(mebibytes: usize) -> io::Result<Vec<u8>> {
    let bytes = mebibytes.saturating_mul(1 << 20);
    let mut memory = Vec::new();
    memory
        .try_reserve_exact(bytes)
        .map_err(|_| io::Error::other(format!("this machine has no {mebibytes} MiB to give")))?;
    memory.resize(bytes, 1);
    Ok(memory)
}

fn close_standard_streams() -> io::Result<()> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    rustix::stdio::dup2_stdout(&null)?;
    rustix::stdio::dup2_stderr(&null)?;
    Ok(())
}
