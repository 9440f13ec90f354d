//! Facts about one instance: its present status, and its last end from the journal.

use formation::{EndCause, LifeStep, OutOfMemory, RestartPolicy, State};
use jiff::{SignedDuration, Timestamp};
use ps_scheduler::Instance;

use super::look::Look;
use super::{files, machine, output, past};
use crate::facts::{End, Known, Strain};

/// How long after an end by itself an instance that runs again counts as restarting.
const LATELY: SignedDuration = SignedDuration::from_secs(600);

impl Known {
    /// Whether a process of it was ever started.
    pub(crate) fn has_run(&self) -> bool {
        self.end.is_some() || self.state.is_alive()
    }

    /// Whether there is nothing to explain: it runs, or waits for its time, and did not end by itself a moment ago.
    pub(crate) fn is_well(&self) -> bool {
        matches!(self.state, State::Running | State::Scheduled)
            && self.end.is_none()
            && self.check.is_none()
            && self.suspended.is_none()
            && !self.waits_for_room()
    }

    /// Whether it lives, but waits because the disk has no room for what it writes (`log-when-full block`).
    pub(crate) fn waits_for_room(&self) -> bool {
        self.state.is_alive() && self.note.as_ref().is_some_and(|note| note.contains("its log takes nothing"))
    }

    /// When it had read its files, at the latest: at the start of the run that ended, or of the one that lives.
    pub(super) fn read_at(&self) -> Option<Timestamp> {
        let begun = self.end.as_ref().and_then(|end| {
            let lived = SignedDuration::from_millis(i64::try_from(end.lived_ms?).ok()?);
            end.at?.checked_sub(lived).ok()
        });
        begun.or(self.since)
    }
}

/// What is known of an instance that its scheduler names; `at`: when, if that is not now.
pub(super) fn known(look: &Look<'_>, instance: &Instance, at: Option<Timestamp>) -> Known {
    let now = at.unwrap_or_else(Timestamp::now);
    let mut known = of_run(look, instance, None, at);
    let is_up = matches!(known.state, State::Running | State::Starting);
    // An end long ago, or one that was asked for, does not explain what happens now.
    let is_old = |when: Option<Timestamp>| when.is_none_or(|when| now.duration_since(when) > LATELY);
    let was_wanted = |end: &End| matches!(end.cause, Some(EndCause::Asked));
    let is_settled = |end: &End| end.at.is_some_and(|at| past::was_started_anew(&look.entries, at));
    if is_up && known.end.as_ref().is_some_and(|end| is_old(end.at) || was_wanted(end) || is_settled(end)) {
        known.end = None;
    }
    if known.state == State::Running
        || known
            .refused
            .as_ref()
            .is_some_and(|(when, _)| known.since.is_some_and(|since| known.state.is_alive() && since > *when))
    {
        known.refused = None;
    }
    if known.state == State::Running && known.end.is_none() {
        known.check = None;
    }
    if at.is_none() {
        known.holder = machine::holder(look, &known);
        known.suspended = instance.pid.and_then(machine::suspension);
        known.stopped_child = instance.pid.filter(|_| known.check.is_some()).and_then(machine::stopped_child);
        known.bad_file = if known.state.is_alive() { None } else { files::bad_file(look, &instance.slot) };
    }
    known
}

/// What is known of a run, with what the journal says of it between two times.
pub(super) fn of_run(
    look: &Look<'_>,
    instance: &Instance,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Known {
    let mut known = Known {
        slot: instance.slot.to_string(),
        state: instance.state,
        since: instance.since,
        run: instance.run,
        is_of_deploy: false,
        next: instance.next,
        suspended: None,
        stopped_child: None,
        bad_file: None,
        is_job: look
            .spec
            .as_ref()
            .is_some_and(|spec| spec.policy(&instance.slot.process_type) == RestartPolicy::No),
        over: instance.over,
        restarts: instance.restarts.unwrap_or(0),
        note: instance.note.as_ref().map(|note| look.secrets.hide(note)),
        port: instance.port,
        holder: None,
        end: instance.last_exit.map(|exit| End {
            at: None,
            exit: Some(exit),
            cause: None,
            lived_ms: None,
            out_of_memory: instance.out_of_memory,
            check: None,
        }),
        refused: None,
        check: None,
        given_up: None,
        output: Vec::new(),
        strain: Strain::default(),
    };
    add_lives(look, instance, (since, until), &mut known);
    add_note(&mut known);
    known.output = output::lines(look, &instance.slot, &known, until);
    known
}

/// What the journal says of its life.
fn add_lives(
    look: &Look<'_>,
    instance: &Instance,
    (since, until): (Option<Timestamp>, Option<Timestamp>),
    known: &mut Known,
) {
    let is_meant = |at: Timestamp, run: u64| {
        // A run that came after the one that lives was one of a rollout, and was put back.
        let is_beside = match instance.run {
            Some(own) if since.is_some() => run != own,
            Some(own) if instance.state.is_alive() => run > own,
            Some(_) | None => since.is_some(),
        };
        !is_beside && since.is_none_or(|since| at >= since) && until.is_none_or(|until| at <= until)
    };
    for (at, life) in past::lives(&look.entries, &instance.slot).filter(|(at, life)| is_meant(*at, life.run))
    {
        let reason = life.reason.as_ref().map(|reason| look.secrets.hide(reason));
        match life.step {
            LifeStep::Start => (known.refused, known.check) = (None, known.check.take()),
            LifeStep::Ready => (known.check, known.given_up) = (None, None),
            LifeStep::Refused => known.refused = Some((at, reason.unwrap_or_default())),
            LifeStep::Unready | LifeStep::CheckFailed => {
                known.check = Some((Some(at), reason.unwrap_or_default()));
            }
            LifeStep::Crashed => known.give_up(at, (life.deaths, reason), life.left_out > 0),
            LifeStep::Exit => {
                // Where another process of it was killed, the main one has mostly ended on account of that.
                let is_of_it = |killed: &OutOfMemory| life.cause == Some(EndCause::Memory) || !killed.main;
                let out_of_memory = instance.out_of_memory.filter(is_of_it);
                // Of a moment that is past only the journal tells it.
                let written = || OutOfMemory::told(life.reason.as_ref()?);
                known.end = Some(End {
                    at: Some(at),
                    exit: life.exit,
                    cause: life.cause,
                    lived_ms: life.lived_ms,
                    out_of_memory: out_of_memory.or_else(written),
                    check: known.check.clone().filter(|_| life.cause == Some(EndCause::Check)),
                });
            }
            LifeStep::Backoff | LifeStep::Done | LifeStep::Unknown => (),
        }
    }
}

/// What its scheduler says of a check that fails now, where the journal has nothing of it.
fn add_note(known: &mut Known) {
    let is_check = |note: &&String| {
        ["not ready", "unhealthy", "watchdog", "run-timeout", "did not "]
            .iter()
            .any(|word| note.starts_with(word))
    };
    if known.check.is_none() && known.state != State::Running {
        known.check = known.note.as_ref().filter(is_check).map(|note| (None, note.clone()));
    }
}
