//! Tells the init system that its files have changed. If that fails, the files are correct all the same, and the init
//! system reads them at the next boot.

use std::process::{Command, Stdio};

use boot_units::{Init, Installation};
use ps_cli::say;

/// Called after files were written.
pub(super) fn enabled(init: Init, name: &str) {
    match init {
        Init::Systemd => tell(&["systemctl", "daemon-reload"]),
        Init::SystemdUser => tell(&["systemctl", "--user", "daemon-reload"]),
        Init::Sysv => tell_if_there(&["update-rc.d", name, "defaults"]),
        Init::Openrc | Init::Runit => (),
    }
}

/// Called before the files of a service are removed: stops the service, while the apps run on.
pub(super) fn before_disabled(init: Init, service: &str) {
    match init {
        Init::Systemd => tell(&["systemctl", "stop", service]),
        Init::SystemdUser => tell(&["systemctl", "--user", "stop", service]),
        Init::Openrc => tell_if_there(&["rc-service", "--ifstarted", service, "stop"]),
        // runit stops a service whose directory is gone, and System V init has no state.
        Init::Runit | Init::Sysv => (),
    }
}

/// Called after files were removed.
pub(super) fn disabled(init: Init, name: &str) {
    match init {
        Init::Systemd | Init::SystemdUser => enabled(init, name),
        Init::Sysv => tell_if_there(&["update-rc.d", name, "remove"]),
        Init::Openrc | Init::Runit => (),
    }
}

/// Hints for people after `enable`.
pub(super) fn hints(init: Init, installation: &Installation) -> Vec<String> {
    let services = [installation.name.clone(), installation.name_of_watch()];
    let services = &services[..if installation.watches { 2 } else { 1 }];
    let begin = |service: &str| match init {
        Init::Systemd => Some(format!("systemctl start {service}")),
        Init::SystemdUser => Some(format!("systemctl --user start {service}")),
        Init::Openrc => Some(format!("rc-service {service} start")),
        Init::Sysv => Some(format!("service {service} start")),
        Init::Runit => None,
    };
    let mut hints: Vec<String> =
        services.iter().filter_map(|service| begin(service)).map(|now| format!("now: {now}")).collect();
    if init == Init::Runit {
        hints.push("runit starts it within five seconds".to_owned());
    }
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

/// Runs a command that not every machine has, if it exists.
fn tell_if_there(words: &[&str]) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|directory| directory.join(words[0]).is_file()) {
        tell(words);
    }
}
