//! One-offs, each as a service of one task that is never restarted. A swarm connects nobody with a task: what the command writes is read
//! from its log, and it has neither a terminal nor input. It is told to end by taking its task away.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::{Duration, Instant, SystemTime};

use formation::{AppName, Exit, Slot};
use jiff::Timestamp;
use ps_container_talk::{SIGPIPE, draw_name, missing_command, waiter};
use ps_engine::LogOutput;
use ps_scheduler::{Cancel, Command, Ended, Error, OneOff, Progress, Release, Source, Streams};
use serde_json::{Value, json};

use crate::alone::{self, FOR_THE_REST, Reader};
use crate::failed::backend;
use crate::image_kind::Launched;
use crate::manager::{AFTER_GRACE, LOOK, Manager};
use crate::sealed::Seal;
use crate::swarm::Swarm;
use crate::swarm_task::{Phase, SwarmTask, plain};
use crate::{images, label, no_input, secret, spec};

/// The time limit of a detached run without a limit of its own: a day, as in Dokku.
const USUAL: Duration = Duration::from_secs(86_400);
/// How long a node is waited for on which the command can run.
const FOR_A_PLACE: Duration = Duration::from_secs(60);
/// How long the end of it is waited for, if it was told to end.
const FOR_THE_LAST: Duration = Duration::from_secs(2);
/// How often a name is drawn that is taken.
const DRAWS: u32 = 5;
/// The signals that ask a program to end: HUP, INT, QUIT, TERM.
const ENDING: [i32; 4] = [1, 2, 3, 15];
const SIGTERM: i32 = 15;

/// A name that no other one-off of the app has.
pub(crate) fn name(swarm: &Swarm, app: &AppName) -> Result<Slot, Error> {
    let world = swarm.ensured_id()?;
    let engine = swarm.engine()?;
    let cancel = Cancel::default();
    let manager = Manager::new(engine, &world, app, &cancel);
    let what = format!("list the one-offs of {app}");
    let there = engine.run(alone::list(&manager, label::ONE_OFF, &what))?;
    let is_taken =
        |slot: &Slot| there.iter().any(|json| json["Spec"]["Labels"][label::ONE_OFF] == slot.to_string());
    let mut drawn = (0..DRAWS).map(|_| draw_name());
    drawn.find(|slot| !is_taken(slot)).ok_or_else(|| {
        let reason = "each that was tried is taken: ps-lifecycle retire removes what is left over";
        backend(&format!("find a name for a one-off of {app}"), reason.to_owned())
    })
}

/// Runs the command to its end, or starts it.
pub(crate) fn run(swarm: &Swarm, order: &OneOff<'_>) -> Result<Ended, Error> {
    refuse(order)?;
    let app = &order.release.app;
    // Everything that is made from the variables of the app has those of the order over them.
    let mut release = order.release.clone();
    release.env.retain(|(name, _)| !order.env.iter().any(|(own, _)| own == name));
    release.env.extend(order.env.iter().cloned());
    if let Some(reason) = spec::refusal(&release, &order.process_type) {
        return Err(backend(&format!("run {} of {app}", order.name), reason));
    }
    let world = swarm.ensured_id()?;
    let engine = swarm.engine()?;
    let logins = swarm.logins(app, &mut |note| {
        if let Progress::Note(note) = note {
            // If stderr is closed, the warning is dropped.
            let _ = writeln!(io::stderr(), " !     {note}");
        }
    });
    let cancel = Cancel::default();
    let manager = Manager { logins: &logins, ..Manager::new(engine, &world, app, &cancel) };
    let what = format!("run {} of {app}", order.name);
    engine.run(async {
        let id = begin(&manager, &release, order, &what).await?;
        let watch = Watch {
            manager: &manager,
            service: &id,
            order,
            what: &what,
            log: Reader::default(),
            told: None,
            is_late: false,
        };
        let ended = watch.hold().await;
        if matches!(ended, Ok(Ended::RunsOn)) {
            return ended;
        }
        let removed = alone::remove(&manager, &BTreeSet::from([id.as_str()]), &what).await;
        let tidied = secret::collect(&manager).await;
        ended.and_then(|ended| removed.and(tidied).map(|()| ended))
    })
}

/// What a swarm cannot do is refused before anything is made.
fn refuse(order: &OneOff<'_>) -> Result<(), Error> {
    let cannot = |what| Err(Error::Unsupported { scheduler: "swarm".to_owned(), what });
    let Source::Image(_) = &order.release.source else {
        return cannot(
            "run a command for an app without an image of its own, such as one of a Compose file: use ps-lifecycle enter",
        );
    };
    if order.command == Command::Shell {
        return cannot(
            "run a shell, because it connects no terminal and no input with a task: pass the command behind --, or use ps-lifecycle enter for a shell beside an instance",
        );
    }
    match order.streams {
        Streams::Ours { is_terminal: true } => {
            cannot("give a command a terminal: pass --no-tty, or use ps-lifecycle enter beside an instance")
        }
        Streams::Ours { is_terminal: false } if !no_input::is_given() => cannot(
            "hand stdin to a command: redirect it from /dev/null (</dev/null, ssh -n), and pass what it needs as arguments or with --env",
        ),
        Streams::Ours { .. } | Streams::Nobodys { .. } => Ok(()),
    }
}

/// Makes the service; its id.
async fn begin(
    manager: &Manager<'_>,
    release: &Release,
    order: &OneOff<'_>,
    what: &str,
) -> Result<String, Error> {
    let mut labels = json!({
        label::WORLD: manager.world, label::APP: manager.app.as_str(), label::ONE_OFF: order.name.to_string(),
    });
    let is_waited_for = matches!(order.streams, Streams::Ours { .. });
    if is_waited_for {
        labels[label::WAITS] =
            json!(format!("{} {}", own_node(manager, what).await?, waiter::this_process()));
    }
    if let Some(deadline) = order.timeout.or((!is_waited_for).then_some(USUAL)) {
        // The grace period is part of its time.
        labels[label::DEADLINE] = json!(deadline.saturating_add(order.grace).as_secs().max(1).to_string());
    }
    let mut spec = spec::of_one_off(release, order, &labels);
    let process_type = &order.process_type;
    let (launched, container) = (
        Launched::of(manager, release.source.image(process_type)).await?,
        &mut spec["TaskTemplate"]["ContainerSpec"],
    );
    let of_type = release.process(process_type).and_then(|process| process.command.as_deref());
    match &order.command {
        Command::Words(words) => launched.run_words(container, words),
        Command::OfType | Command::Shell => launched.run_line(container, of_type),
    }
    if let Some(seal) = Seal::of(manager, release, std::iter::once(process_type)).await? {
        seal.put_on(&mut spec["TaskTemplate"]["ContainerSpec"], process_type);
    }
    let (name, number) = (order.name.process_type.as_str(), order.name.index);
    let called = format!("{name}-{number}").parse().expect("a type may end with a number");
    let mut result = Err(backend(what, "it has no name".to_owned()));
    for name in label::names(manager.world, manager.app, &called) {
        spec["Name"] = json!(name);
        result = alone::make(manager, &spec, what).await;
        if result.is_ok() {
            break;
        }
    }
    result
}

/// Whoever waits for a one-off.
struct Watch<'a> {
    manager: &'a Manager<'a>,
    service: &'a str,
    order: &'a OneOff<'a>,
    what: &'a str,
    log: Reader,
    /// The signal for which it was told to end, and when.
    told: Option<(i32, Instant)>,
    is_late: bool,
}

impl Watch<'_> {
    /// Follows it until it has ended; if nobody waits for it, until it runs.
    async fn hold(mut self) -> Result<Ended, Error> {
        let begin = Instant::now();
        loop {
            self.hear(begin).await?;
            let now = alone::task(self.manager, self.service, self.what).await?;
            let Some(now) = now else {
                // A task that never ran leaves nothing behind.
                let Some((signal, _)) = self.told else {
                    tokio::time::sleep(LOOK).await;
                    continue;
                };
                return Ok(self.ended(Exit::Signal(signal)));
            };
            if let Streams::Nobodys { tell } = self.order.streams
                && now.phase == Phase::Running
            {
                tell();
                return Ok(Ended::RunsOn);
            }
            let is_unheard = self.is_heard(&now) && !self.read(&now).await;
            if now.phase.is_over() {
                return self.over(&now).await;
            }
            // One that the swarm ends and we do not may have lost its node.
            if is_unheard || !now.is_wanted() && self.told.is_none() {
                self.look_for_its_node(&now).await?;
            }
            if now.phase == Phase::Pending && self.told.is_none() && begin.elapsed() >= FOR_A_PLACE {
                let seconds = FOR_A_PLACE.as_secs();
                let why = plain(&now.reason);
                return Err(self.error(format!("no node could take it within {seconds} s: {why}")));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Has it ended when somebody asks for that, or when its time is over.
    async fn hear(&mut self, begin: Instant) -> Result<(), Error> {
        let heard = (self.order.signals.take)().into_iter().find(|signal| ENDING.contains(signal));
        let is_due = self.order.timeout.is_some_and(|timeout| begin.elapsed() >= timeout);
        if let Some(signal) = heard.or(is_due.then_some(SIGTERM))
            && self.told.is_none()
        {
            self.told = Some((signal, Instant::now()));
            self.is_late = heard.is_none();
        }
        let Some((_, since)) = self.told else { return Ok(()) };
        alone::tell_to_end(self.manager, self.service, self.what).await?;
        if since.elapsed() >= self.order.grace + AFTER_GRACE {
            return Err(self.error("it was told to end and has not ended".to_owned()));
        }
        Ok(())
    }

    /// Whether somebody waits for what it writes, and it can have written something.
    fn is_heard(&self, now: &SwarmTask) -> bool {
        now.container.is_some() && !matches!(self.order.streams, Streams::Nobodys { .. })
    }

    /// Passes on what it has written by now. Whether its node hands it out, and somebody reads it.
    async fn read(&mut self, now: &SwarmTask) -> bool {
        let mut take = passing_on(&mut self.told);
        self.log.read(self.manager.engine, &now.id, &mut take).await
    }

    /// What it is when its task is over: how it ended, once all that it wrote is passed on.
    async fn over(mut self, now: &SwarmTask) -> Result<Ended, Error> {
        let is_told = self.told.is_some();
        // The swarm removes a task that was told to end as soon as it has ended, together with its last output.
        let patience = if is_told { FOR_THE_LAST } else { FOR_THE_REST };
        let is_all = !self.is_heard(now) || {
            let mut take = passing_on(&mut self.told);
            self.log.rest(self.manager.engine, &now.id, &mut take, patience).await
        };
        let is_read = self.told.is_none_or(|(signal, _)| signal != SIGPIPE);
        if !is_all && is_read {
            if !is_told {
                let how = now.end_in_words().unwrap_or_else(|| "ended".to_owned());
                return Err(self.error(format!("it {how}, and its node did not hand out all that it wrote")));
            }
            // If stderr is closed, the warning is dropped.
            let _ = writeln!(
                io::stderr(),
                " !     {}: what it wrote while it ended was not handed out",
                self.what
            );
        }
        let why = now.end_in_words().unwrap_or_default();
        match (now.exit, self.told) {
            (_, Some((SIGPIPE, _))) => Ok(Ended::Exit(Exit::Signal(SIGPIPE))),
            (Some(exit), _) => Ok(self.ended(exit)),
            (None, Some((signal, _))) => Ok(self.ended(Exit::Signal(signal))),
            (None, None) => {
                if let Some(exit) = missing_command(&now.reason) {
                    return Ok(Ended::Exit(exit));
                }
                let image = self.order.release.source.image(&self.order.process_type);
                let why = images::explained(self.manager, image, now, why).await?;
                Err(self.error(format!("it {why}")))
            }
        }
    }

    fn ended(&self, exit: Exit) -> Ended {
        if self.is_late { Ended::TimedOut } else { Ended::Exit(exit) }
    }

    /// What a lost node runs, nobody can say.
    async fn look_for_its_node(&self, now: &SwarmTask) -> Result<(), Error> {
        let nodes = self.manager.nodes().await?;
        if nodes.is_up(now) {
            return Ok(());
        }
        let node = nodes.name(now);
        Err(self.error(format!(
            "its node {node} is down: whether the command has ended is not known, and it is not started again"
        )))
    }

    fn error(&self, reason: String) -> Error {
        backend(self.what, reason)
    }
}

/// Passes on what is written. If nobody reads it, the command is told to end.
fn passing_on(told: &mut Option<(i32, Instant)>) -> impl FnMut(&LogOutput) -> bool + '_ {
    |piece| {
        let is_written = pass_on(piece);
        if !is_written {
            told.get_or_insert((SIGPIPE, Instant::now()));
        }
        is_written
    }
}

/// Whether somebody reads it.
fn pass_on(piece: &LogOutput) -> bool {
    let write = |out: &mut dyn Write| out.write_all(piece.as_ref()).and_then(|()| out.flush());
    let written = match piece {
        LogOutput::StdErr { .. } => write(&mut io::stderr().lock()),
        _ => write(&mut io::stdout().lock()),
    };
    written.is_ok()
}

/// Removes one-offs that are to be gone: those that have ended, whose time is over, or whose `ps-lifecycle run` has died; `all`: every one of
/// the app. Returns what they are called.
pub(crate) async fn forget(manager: &Manager<'_>, all: bool) -> Result<Vec<String>, Error> {
    let what = format!("remove the one-offs of {}", manager.app);
    let (mut removed, mut ids) = (Vec::new(), BTreeSet::new());
    let list = alone::list(manager, label::ONE_OFF, &what).await?;
    let node = if list.is_empty() { String::new() } else { own_node(manager, &what).await? };
    for json in &list {
        if !all && !is_due(json, &node) && !is_over_and_nobodys(manager, json, &what).await? {
            continue;
        }
        ids.extend(json["ID"].as_str());
        let name = json["Spec"]["Labels"][label::ONE_OFF].as_str().unwrap_or_default();
        removed.push(format!("{}.{name}", manager.app));
    }
    alone::remove(manager, &ids, &what).await?;
    Ok(removed)
}

/// Whether it is a detached one that has ended. One that is waited for is removed by who waits.
async fn is_over_and_nobodys(manager: &Manager<'_>, json: &Value, what: &str) -> Result<bool, Error> {
    if json["Spec"]["Labels"][label::WAITS].is_string() {
        return Ok(false);
    }
    let id = json["ID"].as_str().unwrap_or_default();
    Ok(alone::task(manager, id, what).await?.is_some_and(|task| task.phase.is_over()))
}

/// The id of the node of this machine.
async fn own_node(manager: &Manager<'_>, what: &str) -> Result<String, Error> {
    let info = manager.patiently(what, || manager.engine.swarm_info()).await?;
    Ok(info["NodeID"].as_str().unwrap_or_default().to_owned())
}

/// Whether a one-off is to be gone: its time is over, or the program that waits for it on this node, `node`, was killed. Of a program
/// on another node nothing is known here.
fn is_due(json: &Value, node: &str) -> bool {
    let label = |name: &str| json["Spec"]["Labels"][name].as_str();
    let here = label(label::WAITS).and_then(|waits| waits.split_once(' ')).filter(|(on, _)| *on == node);
    let is_abandoned = here.is_some_and(|(_, waits)| !waiter::is_alive(waits));
    let limit = label(label::DEADLINE).and_then(|seconds| seconds.parse().ok()).map(Duration::from_secs);
    let made: Option<Timestamp> = json["CreatedAt"].as_str().and_then(|at| at.parse().ok());
    let age = made.and_then(|made| SystemTime::now().duration_since(SystemTime::from(made)).ok());
    is_abandoned || limit.zip(age).is_some_and(|(limit, age)| age >= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(seconds_ago: i64, labels: &Value) -> Value {
        let at = Timestamp::now() - jiff::SignedDuration::from_secs(seconds_ago);
        json!({ "CreatedAt": at.to_string(), "Spec": { "Labels": labels } })
    }

    #[test]
    fn a_one_off_is_to_be_gone_when_its_time_is_over_or_nobody_waits_any_more() {
        let is_due = |made: &Value| super::is_due(made, "n1");
        assert!(!is_due(&made(100, &json!({}))));
        assert!(!is_due(&made(100, &json!({ label::DEADLINE: "200" }))));
        assert!(is_due(&made(100, &json!({ label::DEADLINE: "99" }))));
        assert!(!is_due(&made(100, &json!({ label::WAITS: format!("n1 {}", waiter::this_process()) }))));
        let (namespace, json) = waiter::this_process()
            .split_once(' ')
            .map(|(one, other)| (one.to_owned(), other.to_owned()))
            .expect("both");
        let mut other: Value = serde_json::from_str(&json).expect("an identity");
        other["start_time"] = json!(1);
        let killed = |node: &str| made(0, &json!({ label::WAITS: format!("{node} {namespace} {other}") }));
        assert!(is_due(&killed("n1")), "{other}");
        assert!(!is_due(&killed("n2")), "a program on another machine may live: {other}");
    }
}
