//! What lives and is not well: ports and checks.

use formation::EndCause;
use jiff::Timestamp;

use super::report::TRIES_AGAIN;
use super::signs::{of_sign, sign, sign_before};
use crate::case::Case;
use crate::facts::Suspension;
use crate::finding::{Evidence, Said};
use crate::patterns::has;

/// It lives, and does nothing.
pub(super) fn suspended(case: Case<'_>) -> Option<Said> {
    let it = case.it?;
    let suspension = it.suspended.as_ref()?;
    let said = match suspension {
        Suspension::Signal(pid) => {
            let says = format!(
                "its main process (pid {pid}) is stopped by a signal (SIGSTOP, SIGTSTP), which its supervisor did not send: it does nothing \
                 until SIGCONT"
            );
            let cure = format!("ps-lifecycle signal CONT {} {}", case.facts.app, it.slot);
            Said::new(says, [Evidence::Process(*pid)]).cure(cure)
        }
        Suspension::Traced(pid, tracer, name) => {
            let says = format!(
                "its main process (pid {pid}) is held by {name} (pid {tracer}), a debugger or another program that traces it: it does nothing \
                 until that one lets it go on"
            );
            let cure = format!("have {name} go on or detach, or end it: kill {tracer}");
            Said::new(says, [Evidence::Process(*pid), Evidence::Process(*tracer)]).cure(cure)
        }
        Suspension::Frozen(pid, file, word) => {
            let says = format!(
                "the cgroup of its main process (pid {pid}) is frozen, which its supervisor did not do: it does nothing until somebody thaws it"
            );
            let cure = format!("echo {word} >{}", file.display());
            Said::new(says, [Evidence::Process(*pid), Evidence::File(file.clone())]).cure(cure)
        }
        Suspension::Paused(container) => {
            let says = "its container is paused: somebody has frozen all of its processes";
            Said::new(says, [Evidence::Engine]).cure(format!("docker unpause {container}"))
        }
    };
    Some(said)
}

pub(super) fn port_taken(case: Case<'_>) -> Option<Said> {
    let it = case.it?;
    let said = sign(case).filter(|sign| sign.pattern.cause == "port-taken");
    let check = it.check.as_ref().filter(|(_, reason)| {
        reason.contains("is listened on by")
            || reason.contains("is held by")
            || reason.contains("another app")
    });
    if let Some(sign) = said {
        return Some(of_sign(case, sign));
    }
    let (at, reason) = check?;
    let evidence = at.map_or(Evidence::Status, Evidence::Journal);
    let says = format!("somebody else listens on the port that it wants: {reason}");
    Some(
        Said::new(says, [evidence])
            .cure(format!("end that process, or choose another port: ps-set {} port N", case.facts.app)),
    )
}

pub(super) fn check_failed(case: Case<'_>) -> Option<Said> {
    let it = case.it?;
    // One that is well again was started again because of a check.
    let is_over = it.check.is_none();
    let (at, reason) = it.check.as_ref().or_else(|| it.end.as_ref()?.check.as_ref())?;
    let is_by_check = it.end.as_ref().is_some_and(|end| end.cause == Some(EndCause::Check));
    let is_by_itself =
        it.end.as_ref().is_some_and(|end| matches!(end.cause, Some(EndCause::Itself | EndCause::Signal)));
    let is_alive = it.state.is_alive();
    if !is_by_check && !is_alive && is_by_itself {
        return None;
    }
    let evidence = at.map_or(Evidence::Status, Evidence::Journal);
    let says =
        if is_over { "it did not pass a check, and was started again" } else { "it does not pass a check" };
    let said = Said::new(format!("{says}: {reason}"), [evidence]);
    if let Some((pid, name)) = &it.stopped_child {
        let says = format!(
            "{name} (pid {pid}), a process that it has started, is stopped by a signal (SIGSTOP, SIGTSTP), and does nothing until SIGCONT; {}",
            said.says
        );
        let evidence = [vec![Evidence::Process(*pid)], said.evidence].concat();
        return Some(Said::new(says, evidence).cause("suspended").cure(format!("kill -CONT {pid}")));
    }
    Some(with_words(case, *at, of_check(case, reason, said)))
}

/// Which cause a failed check is, and what to do.
fn of_check(case: Case<'_>, reason: &str, said: Said) -> Said {
    if reason.contains("it listens on") || reason.contains("and listens on") {
        said.cause("wrong-port").cure("have it listen on the port that the variable PORT says")
    } else if reason.starts_with("watchdog") {
        said.cause("watchdog")
            .cure("find out what keeps it from saying WATCHDOG=1: it hangs, or the period is too short")
    } else if reason.starts_with("run-timeout") {
        said.cause("run-timeout").cure(format!(
            "find out why it takes so long, or allow more: ps-set {} run-timeout TIME",
            case.facts.app
        ))
    } else if reason.contains("answered")
        || reason.contains("no answer within")
        || reason.contains("exit status")
        || reason.contains("does not contain")
    {
        said.cure("ask the same by hand, and look at what it writes meanwhile (ps-logs)")
    } else if is_late(reason) {
        said.cause("slow-start").cure(format!(
            "find out what it waits for (ps-logs), or give it more time: ps-set {} start-timeout-seconds N",
            case.facts.app
        ))
    } else if reason.contains("nobody listens") {
        said.cause("not-listening").cure("have it listen on the port that the variable PORT says")
    } else {
        said.cure("ask the same by hand, and look at what it writes meanwhile (ps-logs)")
    }
}

/// The same with the trouble of which it wrote last before the check failed. Where that is a limit that it has reached, or what it still waits
/// for, it is the cause of a check that nobody answered.
fn with_words(case: Case<'_>, at: Option<Timestamp>, said: Said) -> Said {
    const SILENT: [&str; 3] = ["check-failed", "slow-start", "not-listening"];
    const LIMITS: [&str; 5] =
        ["too-many-open-files", "process-limit", "heap-exhausted", "disk-full", "connections-exhausted"];
    let cause = said.cause.unwrap_or("check-failed");
    let Some(sign) = sign_before(case, at).filter(|_| SILENT.contains(&cause)) else { return said };
    let text = sign.line.written.to_lowercase();
    let is_held_up =
        LIMITS.contains(&sign.pattern.cause) || has(&text, TRIES_AGAIN) || text.contains("waiting");
    let is_silent = !said.says.contains("answered");
    if is_silent && is_held_up && !sign.pattern.is_wide() {
        let met = of_sign(case, sign);
        let evidence = [met.evidence, said.evidence].concat();
        return Said { says: format!("{}; {}", met.says, said.says), evidence, ..met };
    }
    let says = format!("{}; before that it wrote: \"{}\"", said.says, sign.line.text.trim());
    let evidence = [said.evidence, vec![Evidence::Output(sign.line.clone())]].concat();
    Said { says, evidence, ..said }
}

/// Whether a check says that the time of a start was over.
fn is_late(reason: &str) -> bool {
    reason.starts_with("not ready") && reason.contains(" within ") && reason.contains(" s")
}
