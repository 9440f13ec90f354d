//! A rollout, as whoever asked for it sees it: submitted to the supervisor, watched, cancelled when we are told to stop. It is
//! the supervisor that carries it out, so a program that is killed leaves nothing half done, and a supervisor that is killed is
//! started again, to go on.

use std::thread;
use std::time::{Duration, Instant};

use formation::Slot;
use ps_rollout::{Failure, Outcome};
use ps_scheduler::{Cancel, Error, Progress, Watch};
use ps_supervisor::{Report, Request};

use crate::follow::Follower;
use crate::logs::last_words;
use crate::service::Service;

const TURN: Duration = Duration::from_millis(100);
/// For so long another supervisor is tried where one has died.
const PATIENCE: Duration = Duration::from_secs(10);

/// Has what was submitted carried out, with a new run in each of these slots, and waits for the end. The follower knows how the
/// slots are then. Of a supervisor that dies the next one goes on.
pub(crate) fn carry_out<'a>(
    service: &'a Service,
    slots: Vec<Slot>,
    watch: &mut Watch<'_>,
) -> Result<(Follower<'a>, Report), Error> {
    let mut follower = Follower::begin(service, service.supervised()?)?;
    follower.rollout = None;
    let request = Request::Roll { slots };
    match follower.ask(&request) {
        // It died before it said whether it has taken that in.
        Err(Error::Unreachable { .. }) => {
            follower = succeeded(service)?;
            if follower.rollout.is_none() {
                follower.ask(&request)?;
            }
        }
        // What starts first is told before the answer.
        answered => {
            for slot in answered?.into_iter().filter_map(|message| follower.learn(message)) {
                (watch.say)(Progress::Started(slot));
            }
        }
    }
    match until_over(service, &mut follower, watch)? {
        Some(report) => Ok((follower, report)),
        None => Err(service.unreachable(&format!(
            "it was ended in the middle of the rollout, which is over with that: {} says what runs now",
            service.command("status")
        ))),
    }
}

/// Ends a rollout that a command has left which was killed: the next command begins with what is recorded.
pub(crate) fn settle(service: &Service, watch: &mut Watch<'_>) -> Result<(), Error> {
    if !ps_supervisor::is_rolling(&service.directory) {
        return Ok(());
    }
    // Where none can be started nothing is rolled either, and the command says why.
    let Ok(mut follower) = service.supervised().and_then(|client| Follower::begin(service, client)) else {
        return Ok(());
    };
    if follower.rollout.as_ref().is_none_or(|report| report.outcome.is_some()) {
        return Ok(());
    }
    (watch.say)(Progress::Note(format!(
        "Putting back what an earlier command of {} has begun and not ended",
        service.app
    )));
    follower.ask(&Request::Cancel)?;
    // Nobody else would wait for it: it is not given up half-way.
    let mut patient = Watch { say: &mut *watch.say, cancel: &Cancel::default(), lock: watch.lock };
    until_over(service, &mut follower, &mut patient).map(drop)
}

/// Waits until a rollout is over. Whoever is told to stop has it put back, and waits for that too. `None`: its supervisor was told
/// to end everything, and the next one knows of no rollout.
fn until_over<'a>(
    service: &'a Service,
    follower: &mut Follower<'a>,
    watch: &mut Watch<'_>,
) -> Result<Option<Report>, Error> {
    let mut is_cancelled = false;
    let mut asked_at = Instant::now();
    loop {
        if let Some(report) = follower.rollout.take_if(|report| report.outcome.is_some()) {
            return Ok(Some(report));
        }
        let is_told = !is_cancelled && watch.cancel.check().is_err();
        let heard = if is_told {
            is_cancelled = true;
            follower.ask(&Request::Cancel).map(|_| None)
        } else if asked_at.elapsed() >= PATIENCE {
            asked_at = Instant::now();
            match follower.hear_whether_it_lives() {
                // It was stopped by a signal: nobody can take its place, and it goes on when it is continued.
                Err(error) if service.connect().is_some() => return Err(error),
                heard => heard,
            }
        } else {
            follower.listen(Instant::now() + TURN)
        };
        let Ok(started) = heard else {
            // One that was told to end gives its rollout up, and is not followed by another against the will of whoever said so.
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
        if let Some(slot) = started {
            (watch.say)(Progress::Started(slot));
        }
    }
}

/// The supervisor died: the next one goes on where it was. One that is just being killed may still let us in, and say nothing.
fn succeeded(service: &Service) -> Result<Follower<'_>, Error> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match service.supervised().and_then(|client| Follower::begin(service, client)) {
            Err(Error::Unreachable { .. }) if Instant::now() < deadline => thread::sleep(TURN),
            answer => return answer,
        }
    }
}

/// What has come of a rollout, with the last lines of each run that failed.
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

/// A failure of a process that wrote something.
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
