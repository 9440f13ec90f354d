//! The status of an app's instances, from /proc and the files that their supervisor writes.

mod words;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Display;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use formation::{Slot, State};
use jiff::{SignedDuration, Timestamp};
use os_process::{ProcessId, Usage};
use ps_scheduler::{AppStatus, Doubtful, Error, Instance, Limits, Over};
use ps_service::{Listing, Service, earlier};
use ps_supervisor::{InForce, OpenConnections, Status, Statuses};
use timetable::Course;

/// From this number of instances on, two threads measure them: the kernel takes 14 µs for one process.
const MANY: usize = 64;

/// How long a supervisor is waited for whose files do not say what runs.
const ASKED: Duration = Duration::from_secs(1);

/// Every instance that has a status, ordered by type and index, without CPU and memory.
pub(crate) fn instances(service: &Service) -> Result<Vec<Instance>, Error> {
    Ok(states(service)?.instances)
}

/// As [`instances`], with the reasons why status files cannot be read.
pub(crate) fn brief(service: &Service) -> Result<AppStatus, Error> {
    let Found { instances, unreadable, .. } = states(service)?;
    Ok(AppStatus { troubles: unreadable, ..AppStatus::of(service.app.clone(), instances) })
}

fn states(service: &Service) -> Result<Found, Error> {
    each(service, false, &[], None)
}

/// The instances, with what is wrong with their files.
#[derive(Default)]
struct Found {
    instances: Vec<Instance>,
    /// Messages of the supervisor about its instances, and files that cannot be read.
    troubles: Vec<String>,
    /// Only the files that cannot be read.
    unreadable: Vec<String>,
    has_directory: bool,
    /// Whether the supervisor that wrote `state` lives. If not, another one may live that has written nothing yet.
    has_supervisor: bool,
    has_balance: bool,
    /// Its supervisor, if that is stopped by a signal.
    stopped_supervisor: Option<u32>,
    /// The service directory that this one is a copy of.
    original: Option<PathBuf>,
}

/// As [`brief`], with CPU and memory, whether each instance is at rest, and everything else that is wrong with the app.
pub(crate) fn app(service: &Service) -> Result<AppStatus, Error> {
    let (spec, unreadable) = match service.spec() {
        Ok(spec) => (spec, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let passed_over = spec.as_ref().and_then(|spec| spec.list_passed_over(&service.directory));
    let unread = passed_over.map(|error| error.to_string());
    let (stopped, typed, listen) =
        spec.map(|spec| (spec.stopped, spec.typed, spec.listen)).unwrap_or_default();
    let found = each(service, true, &stopped, typed.as_deref())?;
    let app = service.app.clone();
    let instances = found.instances;
    let doubtful = unread.map(|reason| Doubtful { slots: ended_and_unexplained(&instances), reason });
    let passed_over = doubtful.iter().map(|doubtful| doubtful.said(&app));
    let mut troubles: Vec<String> = unreadable.into_iter().chain(passed_over).chain(found.troubles).collect();
    if !found.has_directory
        && service.world.recorded_as_deployed(&service.app).is_ok_and(|deployed| deployed == Some(true))
    {
        troubles.push(format!(
            "{} of {app} is missing, so it is not known which instances run: {} starts them anew, stop ends them",
            service.directory.display(),
            service.command(if service.world.inside_dokku() { "rebuild" } else { "start" })
        ));
    }
    troubles.extend(found.original.map(|original| words::copied(service, &original)));
    troubles.extend(found.stopped_supervisor.map(|pid| words::stopped(&app, pid)));
    let is_kept = |instance: &Instance| {
        instance.pid.is_some() || matches!(instance.state, State::Backoff | State::Waiting | State::Scheduled)
    };
    // Every supervisor is asked only if its files look dead: asking a thousand of them would wake a thousand processes.
    let is_alone = || !found.has_supervisor && service.connect().is_none() && service.is_free();
    if instances.iter().any(is_kept) && is_alone() {
        troubles.push(format!(
            "no supervisor keeps {app} alive and takes its output: {} starts one",
            service.command("start")
        ));
    }
    let listen = listen.into_iter().collect();
    let status = AppStatus { listen, troubles, doubtful, ..AppStatus::of(app, instances) };
    Ok(if found.has_balance { with_connections(service, status) } else { status })
}

/// The empty slots whose status says only that their process was ended.
fn ended_and_unexplained(instances: &[Instance]) -> Vec<Slot> {
    let ended =
        instances.iter().filter(|instance| instance.state == State::Stopped && instance.over.is_none());
    ended.map(|instance| instance.slot.clone()).collect()
}

/// Adds the number of connections of each instance that clients of the app's address are led to.
fn with_connections(service: &Service, mut status: AppStatus) -> AppStatus {
    let is_asked = status.instances.iter().any(|instance| status.leads_to(instance));
    let open = is_asked.then(|| ps_supervisor::open_connections(&service.directory)).flatten();
    for instance in &mut status.instances {
        let is_named =
            |open: &&OpenConnections| (&open.slot, Some(open.run)) == (&instance.slot, instance.run);
        let found = open.iter().flatten().find(is_named);
        instance.connections = found.map(|open| open.count);
    }
    status
}

fn each(
    service: &Service,
    measures_usage: bool,
    stopped: &[Slot],
    typed: Option<&Path>,
) -> Result<Found, Error> {
    let listing = service.listing()?;
    let statuses = &service.statuses(&listing);
    let has_directory = listing.is_there();
    let Listing { ref slots, is_rolling, has_first_spec, has_balance, .. } = listing;
    let finished = if has_first_spec { earlier::finished(service) } else { BTreeSet::new() };
    let belief = match measures_usage {
        true => Belief::Measures,
        false if statuses.are_kept_true() => Belief::Believes,
        false => Belief::Looks,
    };
    let look = Look { service, statuses, belief, stopped, typed, finished, is_rolling };
    let look_at = |look: &Look<'_>| if slots.len() < MANY { look.at(slots) } else { by_two(look, slots) };
    let found = if statuses.are_outdated() { Found::default() } else { look_at(&look) };
    let is_missed = |instance: &Instance| instance.state == State::Missing;
    let told = (statuses.are_outdated() || found.instances.iter().any(is_missed)).then(|| told(service));
    let found = match told.flatten() {
        Some(told) => {
            let belief = if measures_usage { Belief::Measures } else { Belief::Looks };
            let statuses = &service.statuses(&listing).with(told);
            look_at(&Look { statuses, belief, ..look })
        }
        None if statuses.are_outdated() => look_at(&look),
        None => found,
    };
    // What is wrong with an app is only looked up if usage is measured.
    let has_supervisor = measures_usage && statuses.have_a_supervisor();
    let stopped_supervisor = if measures_usage { statuses.stopped_supervisor() } else { None };
    let original = statuses.original().map(Path::to_owned);
    Ok(Found { has_directory, has_supervisor, has_balance, stopped_supervisor, original, ..found })
}

/// What the supervisor itself says of the instances; `None`: none lives, or it is stopped or busy.
fn told(service: &Service) -> Option<Vec<Status>> {
    if service.stopped_supervisor().is_some() {
        return None;
    }
    ps_supervisor::told(&service.directory, Instant::now() + ASKED)
}

fn by_two(look: &Look<'_>, slots: &[Slot]) -> Found {
    let (first, second) = slots.split_at(slots.len() / 2);
    let (mut found, rest) = thread::scope(|scope| {
        let rest = scope.spawn(|| look.at(second));
        (look.at(first), rest.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    found.instances.extend(rest.instances);
    found.troubles.extend(rest.troubles);
    found.unreadable.extend(rest.unreadable);
    found
}

/// How it is determined whether the process of an instance lives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Belief {
    /// By asking the kernel, also for the usage.
    Measures,
    /// By asking the kernel.
    Looks,
    /// By its status: its supervisor lives, and has written it.
    Believes,
}

/// The data that is needed to look at instances.
struct Look<'a> {
    service: &'a Service,
    statuses: &'a Statuses,
    belief: Belief,
    stopped: &'a [Slot],
    typed: Option<&'a Path>,
    finished: BTreeSet<Slot>,
    is_rolling: bool,
}

impl Look<'_> {
    fn at(&self, slots: &[Slot]) -> Found {
        let mut found = Found::default();
        for slot in slots {
            self.at_one(slot, &mut found);
        }
        found
    }

    fn at_one(&self, slot: &Slot, found: &mut Found) {
        let by_hand = self.stopped.contains(slot).then_some(Over::StoppedByHand);
        let over = by_hand.or(self.finished.contains(slot).then_some(Over::Finished));
        let says = |reason: &dyn Display| format!("{slot} of {}: {reason}", self.service.app);
        match runs(self.statuses, slot, self.is_rolling) {
            Ok(runs) => {
                found.troubles.extend(
                    runs.first().and_then(|status| status.reason.as_ref()).map(|reason| says(reason)),
                );
                found
                    .troubles
                    .extend(runs.iter().filter_map(|status| words::held_up(status)).map(|why| says(&why)));
                found
                    .troubles
                    .extend(runs.iter().filter_map(|status| words::unrecorded(status)).map(|why| says(&why)));
                found.instances.extend(runs.iter().map(|status| {
                    let instance = instance(status, self.typed, self.belief);
                    let has_failed = |exit: formation::Exit| !exit.is_success();
                    let is_given_up = instance.state == State::Crashed
                        || (instance.state == State::Scheduled && instance.last_exit.is_some_and(has_failed));
                    let words = || status.last_words(&self.service.instance(&status.slot));
                    let last_lines = if is_given_up { words() } else { Vec::new() };
                    Instance { over: over.or(instance.over), last_lines, ..instance }
                }));
            }
            // Whether the instance runs is not known here. Its supervisor knows, and writes the file again at the next verb.
            Err(error) => {
                found.troubles.push(says(&error));
                found.unreadable.push(says(&error));
                found.instances.push(Instance { over, ..Instance::new(slot.clone(), State::Unknown) });
            }
        }
    }
}

/// The runs of a slot: the one that fills it, or filled it last, and during a rollout the second one. Slots that never had a run are
/// left out.
fn runs<'a>(
    statuses: &'a Statuses,
    slot: &Slot,
    is_rolling: bool,
) -> Result<Vec<Cow<'a, Status>>, ps_supervisor::Error> {
    if !is_rolling {
        return Ok(statuses.read(slot)?.into_iter().collect());
    }
    let mut runs = statuses.read_all(slot)?;
    let was_ever = runs.first().is_none_or(|current| current.run > 0 || current.process.is_some());
    if runs.len() > 1 && !was_ever {
        runs.remove(0);
    }
    Ok(runs.into_iter().map(Cow::Owned).collect())
}

fn instance(status: &Status, typed: Option<&Path>, belief: Belief) -> Instance {
    let is_told_alive = status.state.is_alive() || status.state == State::Stopping;
    let is_believed = is_told_alive && belief == Belief::Believes;
    let asked = status.process.as_ref().filter(|_| !is_believed).and_then(ProcessId::stat);
    let process = status.process.as_ref().filter(|_| is_believed || asked.is_some());
    let is_backoff = status.state == State::Backoff;
    let state = match process {
        // A job whose end no supervisor saw counts as finished, because its exit status is not known.
        None if is_told_alive && status.job => State::Stopped,
        None if is_told_alive => State::Missing,
        _ => status.state,
    };
    let ended_unseen = process.is_none() && is_told_alive;
    let over = match state {
        State::Crashed => Some(Over::GivenUp),
        State::Stopped if status.done || ended_unseen => Some(Over::Finished),
        _ => None,
    };
    let program = status.program.as_ref().filter(|program| process.is_some() && program.is_alive());
    let measured = asked.filter(|_| belief == Belief::Measures);
    let measured = measured.map(|main| program.and_then(ProcessId::stat).unwrap_or(main));
    let usage = measured.map(|stat| Usage::of(&stat));
    let port = status.port.filter(|_| state.is_alive() || is_backoff);
    Instance {
        run: Some(status.run),
        release: Some(status.revision),
        lane: Some(status.lane),
        role: status.role,
        compared: status.compared,
        pid: process.map(|process| process.pid),
        program: program.map(|program| program.pid),
        address: port.map(|port| format!("127.0.0.1:{port}")),
        port: status.port,
        has_socket: status.has_socket,
        since: Some(process.map_or(status.since, |process| since(status.since, process))),
        restarts: Some(status.restarts),
        restarts_by_reason: Some(status.restarts_by_reason),
        oom_kills: Some(status.oom_kills),
        log_dropped_bytes: Some(status.log_dropped),
        cpu_percent: usage.as_ref().map(|usage| usage.cpu_percent),
        cpu_seconds: usage.as_ref().map(|usage| usage.cpu_seconds),
        memory_bytes: usage.as_ref().map(|usage| usage.memory_bytes),
        last_exit: status.last_exit.filter(|_| !ended_unseen),
        out_of_memory: status.out_of_memory.filter(|_| !ended_unseen),
        limits: status.limits.as_deref().map(limits),
        over,
        typed_directory: typed
            .filter(|typed| Some(*typed) != status.directory.as_deref())
            .map(Path::to_owned),
        directory: status.directory.clone(),
        next: status
            .course
            .as_ref()
            .filter(|_| state.is_alive() || matches!(state, State::Scheduled | State::Backoff))
            .and_then(Course::next),
        note: note(status, ended_unseen),
        ..Instance::new(status.slot.clone(), state)
    }
}

/// The text that matters most to a person.
fn note(status: &Status, ended_unseen: bool) -> Option<String> {
    let killed = || status.out_of_memory.filter(|_| !ended_unseen).map(|killed| killed.to_string());
    let reason = status
        .reason
        .clone()
        .or_else(|| words::unrecorded(status))
        .or_else(|| words::of_logs(status))
        .or_else(|| words::lacking(status));
    reason.or_else(|| status.note.clone()).or_else(killed).or_else(|| status.says.clone())
}

fn limits(in_force: &InForce) -> Limits {
    Limits {
        memory_max: in_force.memory_max,
        cpu_max: in_force.cpu_max.map(|thousandths| f64::from(thousandths) / 1000.0),
        pids_max: in_force.pids_max,
        memory_restart: in_force.memory_restart,
        lacking: in_force.lacking.clone(),
    }
}

/// Since when an instance with a process is in its state. What ends again and again before it counts as running stays in one state, and
/// then its present process says since when. A process is started a moment after its state is written down, which makes no difference.
fn since(told: Timestamp, process: &ProcessId) -> Timestamp {
    const MOMENT: SignedDuration = SignedDuration::from_secs(1);
    let started = Timestamp::now() - process.age();
    if started.duration_since(told) > MOMENT { started } else { told }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use ps_apps::World;

    use super::*;

    #[test]
    fn a_process_that_began_long_after_its_state_says_since_when() {
        let own = ProcessId::of(std::process::id()).expect("it lives");
        let began = Timestamp::now() - own.age();
        let long_before = began - Duration::from_secs(60);
        let shown = since(long_before, &own).duration_since(began).as_secs_f64().abs();
        assert!(shown < 1.0, "{shown} s beside the start of the process");
        let shortly_before = began - Duration::from_millis(200);
        assert_eq!(since(shortly_before, &own), shortly_before);
        let after = began + Duration::from_secs(60);
        assert_eq!(since(after, &own), after);
    }

    #[test]
    fn many_instances_are_in_the_order_of_few_and_what_is_unreadable_is_said_of_each() {
        let place = tempfile::tempdir().expect("a directory");
        let world = World::new(place.path().join("home"), place.path().join("lib"));
        let service = Service::of(&world, &"shop".parse().expect("a name"), None);
        let slots: Vec<Slot> =
            (1..=2 * MANY).map(|index| format!("web.{index}").parse().expect("a slot")).collect();
        let add = |slot: &Slot| {
            let directory = service.instance(slot);
            fs::create_dir_all(&directory).expect("made");
            let text = format!(
                r#"{{"slot":"{slot}","state":"stopped","process":null,"port":null,"since":"2026-01-01T00:00:00Z",
                    "restarts":0,"last_exit":null,"revision":1,"reason":"said of {slot}"}}"#
            );
            fs::write(Status::file(&directory), text).expect("written");
        };
        for (few, slots) in [(true, &slots[..5]), (false, &slots[..])] {
            slots.iter().for_each(add);
            fs::write(Status::file(&service.instance(&slots[3])), "{").expect("written");
            let found = each(&service, true, &[], None).expect("readable");
            let names: Vec<Slot> = found.instances.iter().map(|instance| instance.slot.clone()).collect();
            assert_eq!((names == slots, slots.len() < MANY), (true, few), "{names:?}");
            assert_eq!((found.troubles.len(), found.unreadable.len()), (slots.len(), 1));
            assert!(found.unreadable[0].starts_with("web.4 of shop: "), "{:?}", found.unreadable);
            assert!(found.troubles.is_sorted_by_key(|trouble| {
                let digits = trouble.trim_start_matches("web.").split(' ').next().map(str::parse::<usize>);
                digits.and_then(Result::ok)
            }));
        }
    }
}
