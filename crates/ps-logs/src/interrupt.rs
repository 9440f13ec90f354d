//! SIGTERM, SIGINT and SIGHUP while a cursor is written: they end the program between two batches of lines, never
//! between lines and the cursor that records them. While nothing is being printed they end it at once.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// Whether something is being printed, and whether a signal came meanwhile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupt {
    is_idle: Arc<AtomicBool>,
    has_come: Arc<AtomicBool>,
}

impl Interrupt {
    /// Catches the signals.
    pub(crate) fn catch() -> io::Result<Self> {
        let interrupt = Self { is_idle: Arc::new(AtomicBool::new(true)), has_come: Arc::default() };
        for signal in [SIGTERM, SIGINT, SIGHUP] {
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&interrupt.is_idle))?;
            flag::register(signal, Arc::clone(&interrupt.has_come))?;
        }
        Ok(interrupt)
    }

    /// Records that the printed lines are in the cursor.
    ///
    /// # Errors
    /// A signal came meanwhile.
    pub(crate) fn noted(&self) -> io::Result<()> {
        self.is_idle.store(true, Ordering::SeqCst);
        if self.has_come.load(Ordering::SeqCst) { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
    }
}

/// A writer that prints, and records that something is being printed.
pub(crate) struct Printing<W> {
    pub(crate) out: W,
    pub(crate) interrupt: Interrupt,
}

impl<W: Write> Write for Printing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.interrupt.is_idle.store(false, Ordering::SeqCst);
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
