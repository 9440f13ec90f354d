//! Variables of the app in a script that root runs before it becomes the app's user. Programs that run as root would obey some
//! of them (`LD_PRELOAD`, `PATH`), and the script itself others. So the script sets them under other names that nothing obeys,
//! and a shell that already runs as the app's user gives them their own names.

use crate::export::job::plain;
use crate::export::text::Text;

const PREFIX: &str = "FOR_APP_";

/// What puts the app's `PATH` behind that of a login shell's profile.
pub(crate) fn path_loader() -> Text {
    release("", std::iter::once("PATH"), "", "/bin/bash")
}

/// What a variable is called when it is no longer held.
pub(crate) fn released(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// What a variable is called while it is held.
pub(crate) fn held(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// A script of a shell that does what `before` says, gives variables their names, does what `behind` says, and puts a fresh
/// shell in its place, which runs the script in its `$0`. Behind the names, only what a shell knows by itself is what it was.
pub(crate) fn release<'a>(
    before: &str,
    names: impl Iterator<Item = &'a str> + Clone,
    behind: &str,
    shell: &str,
) -> Text {
    let given: Vec<String> = names.clone().map(|name| format!("{name}=\"${}\"", held(name))).collect();
    let held: Vec<String> = names.map(held).collect();
    plain(&format!(
        "{before}export {}; unset {}; {behind}exec {shell} -c \"$0\"",
        given.join(" "),
        held.join(" ")
    ))
}
