//! A terminal: a server of tmux of its own, with one pane.

use std::path::Path;
use std::process::Command;

use crate::home::{Home, eventually};

/// A pane in which a program runs. The server and all in it end when this is dropped.
pub(crate) struct Pane<'a> {
    home: &'a Home,
}

impl<'a> Pane<'a> {
    /// Runs a command line in a terminal of 80 by 24. `None`, and noted as skipped: there is no tmux.
    pub(crate) fn run(home: &'a Home, line: &str) -> Option<Self> {
        Self::run_with(home, line, &[])
    }

    /// The same, with these variables.
    pub(crate) fn run_with(home: &'a Home, line: &str, variables: &[(&str, &str)]) -> Option<Self> {
        if !Command::new("tmux").arg("-V").output().is_ok_and(|ran| ran.status.success()) {
            skipped::skip("tmux is not installed: scripts/setup does that");
            return None;
        }
        let pane = Self { home };
        let mut begun = pane.tmux(&["new-session", "-d", "-x", "80", "-y", "24", line]);
        let made = begun.envs(variables.iter().copied()).status().expect("tmux runs");
        assert!(made.success(), "a session of tmux");
        Some(pane)
    }

    /// A command for the server. It knows nothing but the home's environment and a UTF-8 locale.
    fn tmux(&self, words: &[&str]) -> Command {
        let mut command = self.home.command_at(Path::new("/"), &["usr/bin/env", "tmux"]);
        command.args(["-u", "-f", "/dev/null", "-S"]).arg(self.home.path("tmux")).args(words);
        command.env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
        command
    }

    fn does(&self, words: &[&str]) -> String {
        let ran = self.tmux(words).output().expect("tmux runs");
        String::from_utf8_lossy(&ran.stdout).into_owned()
    }

    /// What the terminal shows.
    pub(crate) fn text(&self) -> String {
        self.does(&["capture-pane", "-p"])
    }

    /// The same, with colours as control sequences.
    pub(crate) fn coloured(&self) -> String {
        self.does(&["capture-pane", "-p", "-e", "-N"])
    }

    /// What tmux says of it, such as `#{alternate_on}`.
    pub(crate) fn property(&self, format: &str) -> String {
        self.does(&["display-message", "-p", format]).trim().to_owned()
    }

    /// Types keys: each is a letter, or a name of tmux's such as `Enter`, `C-z`.
    pub(crate) fn types(&self, keys: &[&str]) {
        self.does(&[&["send-keys"], keys].concat());
    }

    pub(crate) fn resize(&self, width: u16, height: u16) {
        let (width, height) = (width.to_string(), height.to_string());
        self.does(&["resize-window", "-x", &width, "-y", &height]);
    }

    /// Waits until the terminal shows all of this.
    pub(crate) fn shows(&self, words: &[&str]) -> String {
        self.is_as(&format!("{words:?} on the screen"), |text| words.iter().all(|word| text.contains(word)))
    }

    /// Waits until what it shows is as described.
    pub(crate) fn is_as(&self, what: &str, is: impl Fn(&str) -> bool) -> String {
        eventually(what, || {
            let text = self.text();
            if is(&text) { Ok(text) } else { Err(format!("\n{text}")) }
        })
    }

    /// Waits until a line has all of these words.
    pub(crate) fn has_line(&self, words: &[&str]) -> String {
        let has = |text: &str| text.lines().any(|line| words.iter().all(|word| line.contains(word)));
        self.is_as(&format!("a line with {words:?}"), has)
    }
}

impl Drop for Pane<'_> {
    fn drop(&mut self) {
        let pid = self.property("#{pane_pid}");
        self.does(&["kill-server"]);
        let is_there = Path::new("/proc").join(&pid);
        eventually("the end of what ran in the terminal", || {
            if pid.is_empty() || !is_there.exists() { Ok(()) } else { Err(pid.clone()) }
        });
    }
}
