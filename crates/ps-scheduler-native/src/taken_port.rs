//! A port that was free when it was chosen, and on which another program listened before the instance did. No program can keep a port free for
//! another process, so the instance is started once more, with a port that is free by then.

use ps_scheduler::{Error, FailedSlot};
use ps_supervisor::{Spec, Status};

use crate::fixed_port;

/// The notes to print before another attempt, one for each instance that failed, if all of them failed because a port that was chosen for them
/// was taken. `None`: another attempt is of no use. `dead` are the last statuses of runs that failed.
pub(crate) fn notes(spec: &Spec, error: &Error, dead: &[Status]) -> Option<Vec<String>> {
    let Error::DeployFailed { failed, .. } = error else { return None };
    let note = |failed: &FailedSlot| {
        // A port that a person chose is never replaced by another one.
        if spec.is_port_chosen(&failed.slot.process_type) {
            return None;
        }
        let port = dead.iter().rev().find(|status| status.slot == failed.slot)?.port?;
        let holder = os_process::port_holder(port).map(|holder| holder.to_string());
        lost(failed, port, holder.as_deref())
    };
    failed.iter().map(note).collect::<Option<Vec<String>>>().filter(|notes| !notes.is_empty())
}

/// The note about an instance that was given `port`, on which `holder` listens now; `None` if it failed for another reason.
fn lost(failed: &FailedSlot, port: u16, holder: Option<&str>) -> Option<String> {
    failed.lines_about_a_port().next()?;
    let named = fixed_port::named(failed);
    // If nobody holds the port, a message without a port number may be about another port.
    let is_it = if named.is_empty() { holder.is_some() } else { named.contains(&port) };
    let holder = holder.unwrap_or("somebody else");
    let slot = &failed.slot;
    is_it.then(|| {
        format!("{slot} was given port {port}, and {holder} listened there first: it is started once more, with a port that is free")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost_with(line: &str, holder: Option<&str>) -> Option<String> {
        let reason = format!("ended within its first second (exit status 1); its last lines:\n{line}");
        lost(&FailedSlot { slot: "web.1".parse().expect("a slot"), reason }, 20_001, holder)
    }

    #[test]
    fn only_what_fails_for_the_port_that_it_was_given_is_tried_again() {
        let python = "OSError: [Errno 98] Address already in use";
        let other = Some("python3 (pid 7)");
        let said = lost_with(python, other).expect("somebody has its port");
        assert!(
            said.starts_with("web.1 was given port 20001, and python3 (pid 7) listened there first"),
            "{said}"
        );
        assert_eq!(lost_with(python, None), None, "it listens on a port of its own choice");
        let node = |port: u16| format!("Error: listen EADDRINUSE: address already in use :::{port}");
        assert!(lost_with(&node(20_001), None).is_some_and(|said| said.contains("somebody else")));
        assert_eq!(lost_with(&node(3000), other), None);
        assert_eq!(lost_with("no database", other), None);
    }
}
