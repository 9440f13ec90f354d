//! A program in a session and on a terminal of its own.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::termios::{Winsize, tcsetwinsize};

use crate::home::{Home, eventually};
use crate::pseudo_terminal;

pub(crate) struct Terminal {
    child: Child,
    master: File,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    pub(crate) fn start(home: &Home, words: &[&str], rows: u16, columns: u16) -> Self {
        let (master, slave) = pseudo_terminal::pair();
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&slave, size).expect("it is a terminal");
        let plain = home.command(words);
        let mut command = Command::new("setsid");
        command.args(["--wait", "--ctty"]).arg(plain.get_program()).args(plain.get_args()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?)))).env("TERM", "xterm");
        let end = || slave.try_clone().expect("a descriptor");
        command.stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("it starts");
        let master = File::from(master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, written) = (master.try_clone().expect("a descriptor"), Arc::clone(&screen));
        thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut piece) {
                written.lock().expect("nobody panics").extend_from_slice(&piece[..read]);
            }
        });
        Self { child, master, screen }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("the terminal takes it");
    }

    pub(crate) fn await_screen(&self, words: &str) {
        eventually(&format!("the screen says {words:?}"), || {
            let screen = self.screen.lock().expect("nobody panics");
            let text = String::from_utf8_lossy(&screen).into_owned();
            if text.contains(words) { Ok(()) } else { Err(text) }
        });
    }

    /// Waits for its end; its exit status.
    pub(crate) fn end(mut self) -> Option<i32> {
        let ended = || self.child.try_wait().expect("it is ours").ok_or_else(|| "it runs".to_owned());
        let mut ended = ended;
        eventually("it ends", &mut ended).code()
    }
}
