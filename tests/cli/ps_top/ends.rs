//! However it ends or stops, the terminal is as it was.

use crate::home::{Home, eventually};
use crate::pane::Pane;

const SHELL: &str = "bash --norc --noprofile -i";

/// A shell with job control that has run `ps-top`.
fn in_a_shell(home: &Home) -> Option<Pane<'_>> {
    let pane = Pane::run(home, SHELL)?;
    pane.types(&["ps-top; echo left with $?", "Enter"]);
    pane.shows(&["there are no apps"]);
    assert_eq!(pane.property("#{alternate_on} #{cursor_flag}"), "1 0");
    Some(pane)
}

/// The shell has the terminal again, with a cursor, and what is typed is echoed.
fn is_given_back(pane: &Pane<'_>) {
    pane.is_as("the shell's screen", |_| pane.property("#{alternate_on} #{cursor_flag}") == "0 1");
    pane.types(&["echo one$((1+1))more", "Enter"]);
    pane.shows(&["echo one$((1+1))more", "one2more"]);
}

/// The pid of the program in the pane.
fn pid_of_top(home: &Home) -> String {
    let ran = home.command_at(std::path::Path::new("/"), &["usr/bin/env", "pgrep", "-x", "ps-top"]).output();
    let pids = String::from_utf8_lossy(&ran.expect("pgrep runs").stdout).into_owned();
    let is_ours = |pid: &&str| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let mark = format!("DOKKU_ROOT={}", home.path("home").display()).into_bytes();
        environment.windows(mark.len()).any(|window| window == mark)
    };
    pids.lines().find(is_ours).expect("it runs").to_owned()
}

fn signal(pid: &str, signal: &str) {
    let sent = std::process::Command::new("kill").args([signal, pid]).status().expect("kill runs");
    assert!(sent.success());
}

#[test]
fn q_and_control_c_leave_with_success() {
    let home = Home::new();
    let Some(pane) = in_a_shell(&home) else { return };
    pane.types(&["q"]);
    pane.shows(&["left with 0"]);
    is_given_back(&pane);
    drop(pane);
    let Some(pane) = in_a_shell(&home) else { return };
    pane.types(&["C-c"]);
    pane.shows(&["left with 0"]);
}

#[test]
fn a_signal_ends_it_with_its_number() {
    let home = Home::new();
    for (name, status) in [("-TERM", "left with 143"), ("-HUP", "left with 129")] {
        let Some(pane) = in_a_shell(&home) else { return };
        signal(&pid_of_top(&home), name);
        pane.shows(&[status]);
        is_given_back(&pane);
    }
}

#[test]
fn control_z_gives_the_terminal_to_the_shell_and_fg_takes_it_back() {
    let home = Home::new();
    let Some(pane) = in_a_shell(&home) else { return };
    pane.types(&["C-z"]);
    pane.shows(&["Stopped"]);
    is_given_back(&pane);
    pane.types(&["fg", "Enter"]);
    pane.shows(&["there are no apps", "0 apps"]);
    assert_eq!(pane.property("#{alternate_on} #{cursor_flag}"), "1 0");
    // The same by somebody else's signal.
    signal(&pid_of_top(&home), "-TSTP");
    is_given_back(&pane);
    pane.types(&["fg", "Enter"]);
    pane.is_as("the screen", |_| pane.property("#{alternate_on}") == "1");
    pane.shows(&["there are no apps"]);
    pane.types(&["q"]);
    pane.is_as("the shell's screen", |_| pane.property("#{alternate_on}") == "0");
}

#[test]
fn what_follows_the_output_ends_with_it() {
    let home = Home::running("shop", "web: echo here; exec sleep 600\n", &[]);
    let Some(pane) = Pane::run(&home, SHELL) else { return };
    pane.types(&["ps-top; echo left with $?", "Enter"]);
    pane.shows(&["| here"]);
    pane.types(&["q"]);
    pane.shows(&["left with 0"]);
    eventually("the end of ps-logs", || {
        let listed =
            std::process::Command::new("pgrep").args(["-f", "ps-logs shop -f"]).output().expect("pgrep runs");
        let mark = home.path("home").display().to_string();
        let is_ours = |pid: &&str| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            String::from_utf8_lossy(&environment).contains(&mark)
        };
        let pids = String::from_utf8_lossy(&listed.stdout).into_owned();
        pids.lines().find(is_ours).map_or(Ok(()), |pid| Err(pid.to_owned()))
    });
}
