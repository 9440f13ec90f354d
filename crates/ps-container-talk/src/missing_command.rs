//! Commands that a container could not execute.

use formation::Exit;

/// The exit status of a command that a shell does not find, and of one that it may not execute.
const NOT_FOUND: i32 = 127;
const NOT_EXECUTABLE: i32 = 126;

/// The exit status that a shell would give for a container that could not be started because its command does not exist, or may not be
/// executed. `None`: the engine's `message` gives another reason.
pub fn missing_command(message: &str) -> Option<Exit> {
    let message = message.to_lowercase();
    let reasons = ["executable file not found", "no such file or directory", "permission denied"];
    let status = if message.contains("permission denied") { NOT_EXECUTABLE } else { NOT_FOUND };
    reasons.into_iter().any(|reason| message.contains(reason)).then_some(Exit::Code(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_is_missing_ends_as_in_a_shell() {
        let of =
            |program: &str| missing_command(&format!("OCI runtime create failed: exec: {program}: unknown"));
        assert_eq!(of("\"nope\": executable file not found in $PATH"), Some(Exit::Code(127)));
        assert_eq!(of("\"/etc/passwd\": permission denied"), Some(Exit::Code(126)));
        assert_eq!(missing_command("No such image: shop:1"), None);
    }
}
