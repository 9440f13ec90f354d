//! What is followed, and what a terminal gets.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;

use crate::home::{Home, eventually};
use crate::program::Running;

#[test]
fn several_apps_are_followed_and_a_line_is_shown_before_it_ends() {
    let home = Home::new();
    for (app, procfile) in [
        (
            "ask",
            "web: printf 'Password: '; while [ ! -e told ]; do sleep 0.1; done; echo thanks; exec sleep 600\n",
        ),
        ("tick", "web: while [ ! -e told ]; do sleep 0.1; done; echo tock; exec sleep 600\n"),
    ] {
        let source = home.source(app, procfile);
        home.does(&["ps-lifecycle", "deploy", app, "--dir", &source, "--quiet"]);
    }
    let read = home.path("followed");
    let mut command = home.command(&["ps-logs", "ask", "-f", "--no-prefix"]);
    command.process_group(0).stdout(File::create(&read).expect("made"));
    let _one = Running::begin(command);
    let both = home.path("both");
    let mut command = home.command(&["ps-logs", "-f", "--no-prefix"]);
    command.process_group(0).stdout(File::create(&both).expect("made"));
    let _all = Running::begin(command);
    let until = |path: &std::path::Path, expected: &str| {
        eventually("it is followed", || {
            let text = fs::read_to_string(path).unwrap_or_default();
            if text == expected { Ok(()) } else { Err(text) }
        });
    };
    until(&read, "Password: ");
    until(&both, "Password: ");
    home.write("tick/told", "");
    // The beginning of a line is not torn apart from its end without a word: the line is written again as a whole.
    until(&both, "Password: \ntock\n");
    home.write("ask/told", "");
    until(&read, "Password: thanks\n");
    until(&both, "Password: \ntock\nPassword: thanks\n");
}
