//! A program in a session and on a terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use rustix::termios::{Winsize, tcsetwinsize};

use crate::home::{Home, eventually};
use crate::pseudo_terminal;

pub(crate) struct Terminal {
    child: Child,
    master: File,
    seen: Arc<Mutex<Seen>>,
}

/// What came of the program.
struct Seen {
    written: Vec<u8>,
    emulator: vt100::Parser,
}

impl Terminal {
    pub(crate) fn start(home: &Home, words: &[&str], rows: u16, columns: u16) -> Self {
        Self::start_with(home, words, (rows, columns), &[])
    }

    /// With these variables besides.
    pub(crate) fn start_with(
        home: &Home,
        words: &[&str],
        size: (u16, u16),
        variables: &[(&str, &str)],
    ) -> Self {
        let (master, slave) = pseudo_terminal::pair();
        tcsetwinsize(&slave, winsize(size)).expect("it is a terminal");
        let plain = home.command(words);
        let mut command = Command::new("setsid");
        command.args(["--wait", "--ctty"]).arg(plain.get_program()).args(plain.get_args()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
        command.envs(variables.iter().copied());
        let end = || slave.try_clone().expect("a descriptor");
        command.stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("it starts");
        let master = File::from(master);
        let emulator = vt100::Parser::new(at_least_one(size.0), at_least_one(size.1), 0);
        let seen = Arc::new(Mutex::new(Seen { written: Vec::new(), emulator }));
        let (mut reader, shared) = (master.try_clone().expect("a descriptor"), Arc::clone(&seen));
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut piece) {
                let mut seen = shared.lock().expect("nobody panics");
                seen.written.extend_from_slice(&piece[..read]);
                seen.emulator.process(&piece[..read]);
            }
        });
        Self { child, master, seen }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("the terminal takes it");
    }

    /// The terminal gets another size, which the program is told as a person's terminal tells it.
    pub(crate) fn resize(&self, size: (u16, u16)) {
        let mut seen = self.seen();
        tcsetwinsize(&self.master, winsize(size)).expect("it is a terminal");
        seen.emulator.screen_mut().set_size(at_least_one(size.0), at_least_one(size.1));
    }

    pub(crate) fn await_screen(&self, words: &str) {
        eventually(&format!("the screen says {words:?}"), || {
            let text = self.written();
            if text.contains(words) { Ok(()) } else { Err(text) }
        });
    }

    /// Everything that was written, as it was written.
    pub(crate) fn written(&self) -> String {
        String::from_utf8_lossy(&self.seen().written).into_owned()
    }

    /// The rows that are to be seen, without empty ones, and the column of the cursor.
    pub(crate) fn shown(&self) -> (Vec<String>, u16) {
        let seen = self.seen();
        let screen = seen.emulator.screen();
        let rows = screen.contents().lines().map(|row| row.trim_end().to_owned()).collect::<Vec<_>>();
        let rows = rows.into_iter().filter(|row| !row.is_empty()).collect();
        (rows, screen.cursor_position().1)
    }

    /// Waits for its end; its exit status.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.wait()
    }

    /// The same; what is on the terminal then can still be asked.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        let ended = || self.child.try_wait().expect("it is ours").ok_or_else(|| "it runs".to_owned());
        let mut ended = ended;
        eventually("it ends", &mut ended).code()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().expect("nobody panics")
    }
}

fn winsize((rows, columns): (u16, u16)) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn at_least_one(number: u16) -> NonZero<u16> {
    NonZero::new(number).expect("a terminal has rows and columns")
}
