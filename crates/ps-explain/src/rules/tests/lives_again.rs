//! What lives again, or does nothing because of somebody else.

use super::*;
use crate::facts::Suspension;

#[test]
fn what_a_check_has_ended_and_is_well_again_did_not_end_by_itself() {
    let check = (Some(time(89)), "not ready: did not answer GET / with 2xx".to_owned());
    let mut it = Known { state: State::Running, ..crashed(Some(Exit::Signal(15)), EndCause::Check) };
    it.end.as_mut().expect("it ended").check = Some(check.clone());
    let finding = finding_of(&facts(), Some(&it));
    assert_eq!(finding.cause, "check-failed");
    assert_eq!(finding.says, format!("it did not pass a check, and was started again: {}", check.1));
    let answer = crate::show::answer(&Facts { instances: vec![it.clone()], ..facts() }).paragraph();
    assert!(
        answer.starts_with("web.1 of shop runs again after a check that it did not pass had ended it"),
        "{answer}"
    );
    // One that fails another check now does not pass that one.
    let now =
        Known { state: State::Unready, check: Some((None, "did not answer GET /now".to_owned())), ..it };
    let says = finding_of(&facts(), Some(&now)).says;
    assert_eq!(says, "it does not pass a check: did not answer GET /now");
}

#[test]
fn what_a_debugger_holds_is_not_stopped_by_a_signal() {
    let it = Known {
        state: State::Running,
        end: None,
        suspended: Some(Suspension::Traced(812, 900, "gdb".to_owned())),
        ..crashed(None, EndCause::Unseen)
    };
    let finding = finding_of(&facts(), Some(&it));
    assert_eq!(finding.cause, "suspended");
    assert!(
        finding.says.contains("held by gdb (pid 900)") && !finding.says.contains("SIGCONT"),
        "{}",
        finding.says
    );
}

#[test]
fn what_somebody_has_frozen_is_not_well() {
    let it = Known {
        state: State::Running,
        end: None,
        suspended: Some(Suspension::Frozen(812, "/sys/fs/cgroup/x/cgroup.freeze".into(), "0")),
        ..crashed(None, EndCause::Unseen)
    };
    let finding = finding_of(&facts(), Some(&it));
    assert_eq!(finding.cause, "suspended");
    assert!(finding.says.contains("frozen"), "{}", finding.says);
}
