//! The stop command of a run: it is run when an ordered end begins, before the stop signal.

use std::time::Instant;

use ps_probe::Standing;

use super::Run;
use crate::confinement::Confinement;
use crate::health::{CommandTry, Killer, Runner, Surroundings};
use crate::means::Means;
use crate::process::Process;
use crate::run_name::RunName;
use crate::run_table::RunEvent;

/// Its number among the commands of a run: those of checks are lower.
pub(crate) const NUMBER: usize = 2000;
/// The variable that gives it the pid of the main process.
pub(crate) const MAIN_PID: &str = "MAINPID";

impl Run {
    /// Starts it. If it cannot be started, it counts as over.
    pub(super) fn begin_stop_command(&mut self, now: Instant, means: &mut Means) {
        match self.start_stop_command(now, means) {
            Ok(command) => {
                self.timer = Some(command.due(now));
                self.stop_command = Some(Box::new(command));
            }
            Err(reason) => {
                self.tell_of_stop_command(&reason);
                self.timer = Some(now);
            }
        }
    }

    fn start_stop_command(&mut self, now: Instant, means: &mut Means) -> Result<CommandTry, String> {
        let terms = self.terms(means);
        let line = terms.stop_command().ok_or("there is none any more")?;
        let directory = self.status.directory.clone().unwrap_or_else(|| means.spec.directory.clone());
        let spec = means.spec.at(&directory);
        let mut environment = means.environments.of(&spec, &self.status.slot, self.status.port)?;
        if let Some(main) = self.process.as_ref().map(Process::pid) {
            environment.set(MAIN_PID, main.to_string());
        }
        let confinement = spec.settings(&self.status.slot.process_type).and_then(Confinement::of);
        let surroundings = Surroundings { directory, environment, confinement };
        let runner = Runner {
            service: &means.service,
            cgroups: means.cgroups.as_ref(),
            open_files: means.descriptors.inherited,
            run: RunName { slot: self.status.slot.clone(), number: self.number() },
            surroundings: Ok(&surroundings),
            killer: Killer { census: &mut means.census, ending: &mut means.ending },
        };
        let words = ["/bin/sh", "-c", line].map(str::to_owned);
        CommandTry::begin_unheard(&words, NUMBER, terms.grace, &runner, now)
    }

    /// Looks whether it has ended.
    pub(super) fn look_at_stop_command(&mut self, now: Instant, means: &mut Means) {
        let Some(mut command) = self.stop_command.take() else { return };
        let mut killer = Killer { census: &mut means.census, ending: &mut means.ending };
        match command.look(&mut killer, now) {
            Standing::Pending => {
                self.stop_command = Some(command);
                return;
            }
            Standing::Holds => (),
            Standing::DoesNotHold(reason) => self.tell_of_stop_command(&reason),
        }
        self.handle(RunEvent::CommandOver, means);
    }

    /// Kills it, if it still runs.
    pub(super) fn give_up_stop_command(&mut self, means: &mut Means) {
        if let Some(command) = self.stop_command.take() {
            command.kill(&mut Killer { census: &mut means.census, ending: &mut means.ending });
        }
    }

    fn tell_of_stop_command(&mut self, reason: &str) {
        self.status.note = Some(format!("stop-command: {reason}"));
        self.changed = true;
    }
}
