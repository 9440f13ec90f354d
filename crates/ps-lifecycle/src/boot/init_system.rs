//! Tells the init system that its files have changed. If it cannot be told, the files are right nevertheless, and it reads
//! them at the next boot.

use std::process::{Command, Stdio};

use boot_units::Init;
use ps_cli::say;

/// Files were written.
pub(super) fn enabled(init: Init) {
    match init {
        Init::Systemd => tell(&["systemctl", "daemon-reload"]),
        Init::SystemdUser => tell(&["systemctl", "--user", "daemon-reload"]),
        Init::Sysv => tell_if_there(&["update-rc.d", "formation", "defaults"]),
        Init::Openrc | Init::Runit => (),
    }
}

/// Files are about to be removed: the service is stopped, while the apps run on.
pub(super) fn before_disabled(init: Init) {
    match init {
        Init::Systemd => tell(&["systemctl", "stop", "formation.service"]),
        Init::SystemdUser => tell(&["systemctl", "--user", "stop", "formation.service"]),
        Init::Openrc => tell_if_there(&["rc-service", "--ifstarted", "formation", "stop"]),
        // runit stops a service whose directory is gone, and System V init has no state.
        Init::Runit | Init::Sysv => (),
    }
}

/// Files were removed.
pub(super) fn disabled(init: Init) {
    match init {
        Init::Systemd | Init::SystemdUser => enabled(init),
        Init::Sysv => tell_if_there(&["update-rc.d", "formation", "remove"]),
        Init::Openrc | Init::Runit => (),
    }
}

/// Hints for people after `enable`.
pub(super) fn hints(init: Init) -> Vec<String> {
    let now = match init {
        Init::Systemd => "systemctl start formation",
        Init::SystemdUser => "systemctl --user start formation",
        Init::Openrc => "rc-service formation start",
        Init::Sysv => "service formation start",
        Init::Runit => return vec!["runit starts it within five seconds".to_owned()],
    };
    let mut hints = vec![format!("now: {now}")];
    if init == Init::SystemdUser {
        hints.push("without loginctl enable-linger, at the first login and not at boot".to_owned());
    }
    hints
}

fn tell(words: &[&str]) {
    let told = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).status();
    let why = match told {
        Ok(status) if status.success() => return,
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    say::warning(&format!("{}: {why}", words.join(" ")));
}

/// Runs a command that not every machine has.
fn tell_if_there(words: &[&str]) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|directory| directory.join(words[0]).is_file()) {
        tell(words);
    }
}
