//! Variables of the app in a script that root runs before it becomes the app's user. Programs that run as root would obey some
//! of them (`LD_PRELOAD`, `PATH`), and the script itself others. So the script sets them under other names that nothing obeys,
//! and a shell that already runs as the app's user gives them their own names.

use crate::export::job::plain;
use crate::export::text::Text;

const PREFIX: &str = "FOR_APP_";

/// The script that sets the app's own `PATH` again, after the profile of a login shell has set another one.
pub(crate) fn path_loader() -> Text {
    release("", std::iter::once("PATH"), "", "/bin/bash")
}

/// The own name of a variable that is held.
pub(crate) fn released(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// The name of a variable while it is held: `FOR_APP_PATH` for `PATH`.
pub(crate) fn held(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// A shell script that runs `before`, gives the variables their own names, runs `behind`, and then replaces itself by a new shell,
/// which runs the script in its `$0`. As soon as the variables have their own names, `behind` can rely on builtins of the shell
/// alone: `PATH`, for example, is the app's by then.
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
