//! A pm2 of npm that runs: found by what it leaves in its home.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::net::sockopt::socket_peercred;

/// Where its daemon listens, since pm2 1.
const SOCKET: &str = "rpc.sock";
/// Where every version of it writes the pid of its daemon.
pub(crate) const PID_FILE: &str = "pm2.pid";
/// The longest pid file that is read, in bytes.
const MAX_BYTES: u64 = 64;
/// What the daemon calls itself, with the version before it.
const TITLE: &str = ": God Daemon";
/// What the daemon of pm2 0.x calls itself, and its program.
const OLD_TITLE: &str = "pm2: Satan Daemonizer";
const OLD_PROGRAM: &str = "/Satan.js";

/// A pm2 that runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Another {
    pid: Option<u32>,
    version: Option<String>,
    /// Whether it listens on a socket in its home. pm2 0.x listens on TCP ports.
    pub(crate) has_socket: bool,
}

impl Another {
    /// The one that runs in this home, if there is one.
    pub(crate) fn in_home(home: &Path) -> Option<Self> {
        let listens = UnixStream::connect(home.join(SOCKET)).ok();
        let has_socket = listens.is_some();
        let of_socket = listens.and_then(|stream| socket_peercred(&stream).ok());
        let of_socket = of_socket.and_then(|peer| u32::try_from(peer.pid.as_raw_nonzero().get()).ok());
        let of_file = || {
            let bytes = durable::state(&home.join(PID_FILE), MAX_BYTES).ok()?;
            String::from_utf8_lossy(&bytes).trim().parse().ok()
        };
        let pid: Option<u32> = of_socket.or_else(of_file);
        let words = pid.and_then(|pid| fs::read(format!("/proc/{pid}/cmdline")).ok()).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        if !has_socket && !is_daemon(&words) {
            return None;
        }
        Some(Self { pid, version: version(&words).map(str::to_owned), has_socket })
    }

    /// What it is called in a message: `pm2 7.0.4 (pid 17)`.
    pub(crate) fn name(&self) -> String {
        let version = self.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
        let pid = self.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
        format!("pm2{version}{pid}")
    }
}

/// Whether a command line, with blanks between its words, is that of a daemon of pm2.
fn is_daemon(words: &str) -> bool {
    words.contains(TITLE)
        || words.starts_with(OLD_TITLE)
        || words.split(' ').any(|word| word.ends_with(OLD_PROGRAM))
}

/// The version in what the daemon calls itself: `PM2 v7.0.4: God Daemon (/home/me/.pm2)`.
fn version(words: &str) -> Option<&str> {
    let (before, _) = words.split_once(TITLE)?;
    before.rsplit_once(" v").map(|(_, version)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_is_known_by_what_it_calls_itself_and_so_is_its_version() {
        assert_eq!(version("PM2 v7.0.4: God Daemon (/root/.pm2)"), Some("7.0.4"));
        assert_eq!(version("node server.js v3"), None);
        for (words, is_one) in [
            ("PM2 v7.0.4: God Daemon (/root/.pm2)", true),
            ("pm2: Satan Daemonizer      ", true),
            ("node /usr/lib/node_modules/pm2/lib/Satan.js", true),
            ("pm2: api", false),
            ("node server.js", false),
        ] {
            assert_eq!(is_daemon(words), is_one, "{words}");
        }
    }

    #[test]
    fn a_pid_file_that_names_any_other_process_is_of_no_pm2() {
        let home = tempfile::tempdir().expect("a directory");
        assert_eq!(Another::in_home(home.path()), None);
        for text in [std::process::id().to_string(), "4294967295".to_owned(), "x".to_owned()] {
            fs::write(home.path().join(PID_FILE), text).expect("written");
            assert_eq!(Another::in_home(home.path()), None);
        }
    }
}
