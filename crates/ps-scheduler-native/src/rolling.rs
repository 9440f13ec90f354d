//! A rollout from the side of the verb: submitted to the supervisor, watched, and cancelled if the verb is cancelled. The
//! supervisor carries it out, so a killed verb leaves nothing half done; if the supervisor is killed, another one is
//! started and continues.

use std::thread;
use std::time::{Duration, Instant};

use formation::Slot;
use ps_rollout::{Failure, Outcome};
use ps_scheduler::{Cancel, Error, Leftover, Progress, Requester};
use ps_service::Service;
use ps_supervisor::{NEXT_FILE, Report, Request};

use crate::follow::Follower;
use crate::logs::last_words;

const TURN: Duration = Duration::from_millis(100);
/// How long to try to start another supervisor after one has died.
const PATIENCE: Duration = Duration::from_secs(10);

/// Has the submitted revision rolled out, with a new run in each of these slots, and waits for the end. The returned
/// follower knows the state of the slots. If a supervisor dies, its successor continues.
pub(crate) fn carry_out<'a>(
    service: &'a Service,
    slots: Vec<Slot>,
    requester: &mut Requester<'_>,
) -> Result<(Follower<'a>, Report), Error> {
    let mut follower = Follower::begin(service, service.supervised()?)?;
    follower.rollout = None;
    let request = Request::Roll { slots };
    match follower.ask(&request) {
        // The supervisor died before it acknowledged the request.
        Err(Error::Unreachable { .. }) => {
            follower = succeeded(service)?;
            if follower.rollout.is_none() {
                follower.ask(&request)?;
            }
        }
        // Runs that start first are reported before the reply.
        answered => {
            for message in answered? {
                requester.tell_all(follower.learn(message));
            }
        }
    }
    match until_over(service, &mut follower, (requester, Whose::Own))? {
        Some(report) => {
            if let Some(receipt) = &report.receipt {
                (requester.tell)(Progress::Receipt(receipt.clone()));
            }
            Ok((follower, report))
        }
        None => Err(Error::Backend {
            context: format!("deploy {}", service.app),
            reason: format!(
                "its supervisor was ended in the middle of the rollout, which is over with that: {} says what runs now",
                service.command("status")
            ),
        }),
    }
}

/// Undoes a rollout whose verb was killed, or waits for its end, so that the next verb begins with the recorded release.
pub(crate) fn end_interrupted(
    service: &Service,
    leftover: Leftover,
    requester: &mut Requester<'_>,
) -> Result<(), Error> {
    // A killed verb may have submitted a revision a moment ago. A supervisor that answers this program has read that
    // revision before.
    let is_submitted = service.directory.join(NEXT_FILE).exists() && service.connect().is_some();
    if !is_submitted && !ps_supervisor::is_rolling(&service.directory) {
        return Ok(());
    }
    // Without a supervisor no rollout goes on either. The verb that follows reports why none can be started.
    let Ok(mut follower) = service.supervised().and_then(|client| Follower::begin(service, client)) else {
        return Ok(());
    };
    if follower.rollout.as_ref().is_none_or(|report| report.outcome.is_some()) {
        return Ok(());
    }
    match leftover {
        Leftover::PutBack => {
            (requester.tell)(Progress::Note(format!(
                "Putting back what an earlier command of {} has begun and not ended",
                service.app
            )));
            follower.ask(&Request::Cancel)?;
        }
        Leftover::Awaited => (),
    }
    // Undoing is not cancelled halfway, because nobody would wait for its end.
    let mut patient =
        Requester { tell: &mut *requester.tell, cancel: &Cancel::default(), lock: requester.lock };
    let report = until_over(service, &mut follower, (&mut patient, Whose::Earlier))?;
    // It is not the receipt of this verb, which has one of its own, and requires nothing of it.
    if let Some(receipt) = report.and_then(|report| report.receipt).filter(|receipt| !receipt.is_empty()) {
        (requester.tell)(Progress::Note(format!("Clients during the earlier command: {receipt}")));
    }
    Ok(())
}

/// Whose rollout is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// That of this verb.
    Own,
    /// That of a verb that was killed: it has told how it compares two releases, and nobody asked this verb for that.
    Earlier,
}

/// Waits until a rollout is over. If the verb is cancelled, the rollout is undone, and that is waited for too. `None`: the
/// supervisor was told to end everything, and the next one has no rollout.
fn until_over<'a>(
    service: &'a Service,
    follower: &mut Follower<'a>,
    (requester, whose): (&mut Requester<'_>, Whose),
) -> Result<Option<Report>, Error> {
    let mut is_cancelled = false;
    let mut asked_at = Instant::now();
    let mut found = None;
    loop {
        let report = follower.rollout.as_ref().filter(|_| whose == Whose::Own);
        let finding = report.and_then(|report| report.canary);
        if let Some(finding) = finding.filter(|finding| found.replace(*finding) != Some(*finding)) {
            (requester.tell)(Progress::Canary(finding));
        }
        if let Some(report) = follower.rollout.take_if(|report| report.outcome.is_some()) {
            return Ok(Some(report));
        }
        let is_told = !is_cancelled && requester.cancel.check().is_err();
        let heard = if is_told {
            is_cancelled = true;
            follower.ask(&Request::Cancel).map(|_| Vec::new())
        } else if asked_at.elapsed() >= PATIENCE {
            asked_at = Instant::now();
            match follower.hear_whether_it_lives() {
                // The supervisor was stopped by SIGSTOP. No other supervisor can take its place, and it goes on when it is
                // continued.
                Err(error) if service.connect().is_some() => return Err(error),
                heard => heard,
            }
        } else {
            follower.listen(Instant::now() + TURN)
        };
        let Ok(heard) = heard else {
            // A supervisor that was told to end drops its rollout. Another one is not started then, because the person
            // wanted it to end.
            if !ps_supervisor::is_rolling(&service.directory) {
                return Ok(None);
            }
            *follower = succeeded(service)?;
            asked_at = Instant::now();
            if follower.rollout.is_none() {
                return Ok(None);
            }
            is_cancelled = false;
            continue;
        };
        requester.tell_all(heard);
    }
}

/// Connects to the successor of a supervisor that died. While a supervisor is being killed it may still accept a connection
/// and never answer, so this is tried again.
fn succeeded(service: &Service) -> Result<Follower<'_>, Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match service.supervised().and_then(|client| Follower::begin(service, client)) {
            Err(Error::Unreachable { .. }) if Instant::now() < deadline => thread::sleep(TURN),
            answer => return answer,
        }
    }
}

/// The outcome of a rollout, with the last lines of each run that failed.
pub(crate) fn outcome(service: &Service, report: Report) -> Option<Outcome> {
    let mut outcome = report.outcome?;
    let quoted = |slot: &Slot, failure: Failure| {
        let failed = report.failed.iter().find(|status| status.slot == *slot);
        let words = failed.map(|status| last_words(service, status)).unwrap_or_default();
        if words.is_empty() { failure } else { with_words(failure, &words) }
    };
    outcome.failures = outcome
        .failures
        .into_iter()
        .map(|(slot, failure)| {
            let failure = quoted(&slot, failure);
            (slot, failure)
        })
        .collect();
    Some(outcome)
}

/// Adds the last lines to the failure of a process that wrote some.
fn with_words(failure: Failure, words: &str) -> Failure {
    let quoted = |reason: String| format!("{reason}; its last lines:\n{words}");
    match failure {
        Failure::Refused(reason) => Failure::Refused(quoted(reason)),
        Failure::NotReady(reason) => Failure::NotReady(quoted(reason)),
        Failure::Died(reason) => Failure::Died(quoted(reason)),
        Failure::Deadline(_) => Failure::NotReady(quoted(failure.to_string())),
        Failure::Remains(_)
        | Failure::NotAdmitted(_)
        | Failure::NotRecorded(_)
        | Failure::Cancelled
        | Failure::Stopped => failure,
    }
}
