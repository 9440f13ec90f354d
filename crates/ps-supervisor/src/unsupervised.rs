//! Ends the processes of an app if no supervisor can be started: the disk is full, its program or its spec is missing.
//! Each type is ended as the spec says (stop command, signal, which processes get it, grace period), if there is a
//! spec.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use formation::Slot;
use os_process::{Manner, ProcessId};
use rustix::process::Signal;
use type_settings::TypeSettings;

use crate::command::Invocation;
use crate::confinement::Confinement;
use crate::environment::environment;
use crate::layout;
use crate::marks::MARKER;
use crate::run::{MAIN_PID, STOP_COMMAND, Terms};
use crate::run_name::RunName;
use crate::spec::Spec;
use crate::state::Statuses;
use crate::status::Status;
use crate::task::Task;

const LOOK: Duration = Duration::from_millis(20);
/// What gives a command its user and its limits.
const LAUNCHER: &str = "ps-supervise";

/// The processes of a service directory, whether a supervisor keeps them or not.
#[derive(Debug)]
pub struct Strays {
    service: PathBuf,
    strays: os_process::Strays<RunName>,
}

/// What is written of a run that lives, and its main process.
struct Known {
    status: Status,
    main: u32,
}

/// Those of one service directory, which need not exist any more.
pub fn strays(service: &Path) -> Strays {
    let strays = os_process::Strays::of(service, MARKER, layout::run_names(service));
    Strays { service: service.to_owned(), strays }
}

impl Strays {
    /// The pids of living processes by slot; `None`: they belong to the service directory, but their slot is unknown.
    pub fn find(&mut self) -> BTreeMap<Option<Slot>, Vec<u32>> {
        by_slot(self.strays.find())
    }

    /// Ends the processes for which `is_meant` is true, as `spec` says for their type; if there is no spec, by SIGTERM, and SIGKILL after
    /// `grace`. Returns those that survive SIGKILL; processes that we may not signal are not waited for.
    pub fn end(
        &mut self,
        spec: Option<&Spec>,
        grace: Duration,
        is_meant: impl Fn(Option<&Slot>) -> bool,
    ) -> BTreeMap<Option<Slot>, Vec<u32>> {
        // As a supervisor does: what was set for a type has the last word, and the order is for the others.
        let spec = spec.map(|spec| Spec { stop_timeout_seconds: grace.as_secs(), ..spec.clone() });
        let needs_main =
            |settings: &TypeSettings| settings.stop_command.is_some() || settings.stop_tree.is_some();
        let known = match &spec {
            Some(spec) if spec.processes.iter().any(|process| needs_main(&process.settings)) => {
                let known = self.known(|slot| is_meant(Some(slot)));
                self.run_stop_commands(spec, &known);
                known
            }
            Some(_) | None => BTreeMap::new(),
        };
        let usual = Manner { signal: Signal::TERM, grace, only: None };
        let how = |name: Option<&RunName>| {
            let slot = name.map(|name| &name.slot);
            if !is_meant(slot) {
                return None;
            }
            let main = name.and_then(|name| known.get(name)).map(|known| known.main);
            let of_type = spec.as_ref().zip(slot).map(|(spec, slot)| Terms::of(spec, &slot.process_type));
            Some(of_type.map_or(usual, |terms| terms.manner(main)))
        };
        by_slot(self.strays.end(how))
    }

    /// What is written of runs whose main process lives.
    fn known(&self, is_meant: impl Fn(&Slot) -> bool) -> BTreeMap<RunName, Known> {
        let statuses = Statuses::of(&self.service);
        let slots = layout::slots(&self.service).filter(is_meant);
        let all = slots.flat_map(|slot| statuses.read_all(&slot).unwrap_or_default());
        let living = all.filter_map(|status| {
            let main = status.process.as_ref().filter(|process: &&ProcessId| process.is_alive())?.pid;
            Some((RunName { slot: status.slot.clone(), number: status.run }, Known { status, main }))
        });
        living.collect()
    }

    /// Runs the stop commands of these runs beside each other, each for the grace period of its type at most.
    fn run_stop_commands(&self, spec: &Spec, known: &BTreeMap<RunName, Known>) {
        let begin = Instant::now();
        let mut running: Vec<(Task, Child, Duration)> = known
            .iter()
            .filter_map(|(name, known)| {
                let (task, child) = self.start_stop_command(spec, name, known)?;
                Some((task, child, spec.grace(&name.slot.process_type)))
            })
            .collect();
        while !running.is_empty() {
            running.retain_mut(|(task, child, grace)| {
                let is_over = !matches!(child.try_wait(), Ok(None));
                if !is_over && begin.elapsed() < *grace {
                    return true;
                }
                task.kill((!is_over).then(|| child.id()));
                // It was killed, or has ended already.
                let _ = child.wait();
                task.end(Duration::ZERO);
                false
            });
            thread::sleep(LOOK);
        }
    }

    /// One that cannot be started is over at once: the stop signal follows all the same.
    fn start_stop_command(&self, spec: &Spec, name: &RunName, known: &Known) -> Option<(Task, Child)> {
        let Known { status, main } = known;
        let settings = spec.settings(&name.slot.process_type)?;
        let script = settings.stop_command.as_ref()?.as_str().to_owned();
        let directory = status.directory.clone().unwrap_or_else(|| spec.directory.clone());
        let mut environment = environment(&spec.at(&directory), &name.slot, status.port).ok()?;
        environment.set(MAIN_PID, main.to_string());
        let invocation = Invocation::Script { shell: "/bin/sh".into(), script };
        let confinement = Confinement::of(settings);
        let launcher = confinement.as_ref().and_then(|_| os_process::sister(LAUNCHER));
        let task = Task::named(&self.service, &format!("{name}.check{STOP_COMMAND}"));
        let command =
            task.command(&invocation, environment.iter(), confinement.as_ref(), launcher.as_deref());
        let mut command = command.ok()?;
        command.current_dir(directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = std::os::unix::process::CommandExt::process_group(&mut command, 0).spawn().ok()?;
        Some((task, child))
    }
}

/// A slot may hold processes of several runs.
fn by_slot(found: BTreeMap<Option<RunName>, Vec<u32>>) -> BTreeMap<Option<Slot>, Vec<u32>> {
    let mut slots: BTreeMap<Option<Slot>, Vec<u32>> = BTreeMap::new();
    for (name, pids) in found {
        slots.entry(name.map(|name| name.slot)).or_default().extend(pids);
    }
    slots
}
