//! Prepares everything for starting the process of a run: logs, FIFOs, a port, variables, limits.

use formation::LifeStep;
use os_process::Newcomer;
use ps_rollout::{Lane, Role};

use super::{Obstacle, Run};
use crate::limits::Limited;
use crate::means::Means;
use crate::passed;
use crate::ports;
use crate::process::Process;
use crate::restart::is_job;
use crate::spec::Spec;
use crate::start::{self, Given, Started};
use crate::start_settings::StartSettings;
use crate::status::Status;

impl Run {
    /// Starts its process, and records whether that was possible.
    pub(super) fn launch(
        &mut self,
        spec: &Spec,
        means: &mut Means,
        write: &mut dyn FnMut(&Status, &mut Means),
    ) -> Result<Process, Obstacle> {
        let launched = self.try_to_launch(spec, means, write);
        match &launched {
            Ok(_) => self.record(LifeStep::Start, None, means),
            Err(Obstacle::Place(reason) | Obstacle::Refused(reason)) => {
                self.record(LifeStep::Refused, Some(reason), means);
            }
        }
        launched
    }

    #[inline(never)]
    fn try_to_launch(
        &mut self,
        spec: &Spec,
        means: &mut Means,
        write: &mut dyn FnMut(&Status, &mut Means),
    ) -> Result<Process, Obstacle> {
        self.outputs.drain();
        let is_of_now = spec.is_of_now(&self.status.slot.process_type, self.status.revision);
        let has_finished = is_of_now && (self.status.done || self.status.job);
        self.status.revision = spec.revision;
        self.status.start_settings = spec.settings(&self.status.slot.process_type).map(StartSettings::of);
        let is_beside = self.status.role != Some(Role::Current);
        if !is_beside {
            self.prepare_outputs(spec).map_err(Obstacle::Place)?;
        }
        let process_type = &self.status.slot.process_type;
        // A scheduled run whose end was not seen is not repeated: the next one starts at the next due time.
        self.status.job = spec.is_scheduled(process_type) || is_job(spec.policy(process_type), has_finished);
        self.status.directory = Some(spec.directory.clone());
        self.assign_port(spec, means).map_err(Obstacle::Refused)?;
        let slot = &self.status.slot;
        let environment = means.environments.of(spec, slot, self.status.port).map_err(Obstacle::Refused)?;
        let environment = self.told_where(environment, spec, means).map_err(Obstacle::Refused)?;
        let sockets = passed::sockets(spec, slot, &means.sockets).map_err(Obstacle::Refused)?;
        let environment = passed::tell(environment, slot, &sockets);
        self.status.has_socket = !sockets.is_empty();
        self.limit(spec, means).map_err(Obstacle::Refused)?;
        if self.status.job {
            self.intend(means, write);
        }
        if is_beside {
            // Last, so that it is written right after its directory is made, by which the next supervisor finds it.
            self.prepare_outputs(spec).map_err(Obstacle::Place)?;
            self.note_begin(means);
        }
        let slot = &self.status.slot;
        let closed = || Obstacle::Place("its output is not open".to_owned());
        let output = self.outputs.output().ok_or_else(closed)?;
        let descriptors = means.descriptors;
        let limited = self.limited.as_deref();
        let (environment, programs) = (&environment, &mut means.programs);
        let tree = &self.tree;
        let given = Given { tree, environment, programs, output, descriptors, limited, sockets };
        let spawned = start::spawn(spec, slot, given);
        if spawned.is_err() {
            self.give_up_limits();
        }
        let Started { process, is_outside } = spawned.map_err(Obstacle::Refused)?;
        if is_outside && self.tree.is_exact() {
            means.newcomers.push(Newcomer { tree: self.tree.clone(), main: process.pid() });
        }
        Ok(process)
    }

    /// Writes down that it is about to be started, beside another run. Where that fails the disk is full, and it is started all the same.
    fn note_begin(&self, means: &mut Means) {
        if self.has_own_file() {
            let _ = means.begun.note(&self.status);
        }
    }

    /// Makes its FIFOs and logs ready, and notes where its own output begins.
    fn prepare_outputs(&mut self, spec: &Spec) -> Result<(), String> {
        self.outputs.limit(spec.log_limits(&self.status.slot.process_type));
        self.outputs.prepare()?;
        self.status.begin_logs(self.outputs.places());
        Ok(())
    }

    /// Writes down that a job is about to be started. The supervisor may be killed between the start and its record, and the job may have
    /// ended by the time that anybody looks: then nothing else would say that it ran.
    fn intend(&mut self, means: &mut Means, write: &mut dyn FnMut(&Status, &mut Means)) {
        self.status.begins = true;
        if let Some(course) = &mut self.status.course {
            course.settle();
        }
        write(&self.status, means);
    }

    /// Makes ready what its process may use of the machine.
    fn limit(&mut self, spec: &Spec, means: &Means) -> Result<(), String> {
        let name = self.name().to_string();
        let settings = spec.settings(&self.status.slot.process_type);
        let made = settings
            .map_or(Ok(None), |settings| Limited::make(settings, &means.service, &self.tree, &name))?;
        let (limited, in_force) = made.unzip();
        self.limited = limited.map(Box::new);
        self.status.limits = in_force.map(Box::new);
        Ok(())
    }

    /// Makes sure that the port is free. If it is not, the run gets another one, and a note reports it.
    fn assign_port(&mut self, spec: &Spec, means: &mut Means) -> Result<(), String> {
        let Status { slot, port, .. } = &*self.status;
        let warning = means.warnings.get(slot.process_type.as_str()).cloned();
        let (port, note) = match self.status.lane {
            Lane::Own => {
                let assigned = ports::assign(spec, slot, &means.service, *port, &mut means.claims)?;
                (assigned.port, assigned.note)
            }
            Lane::Second => (ports::second(spec, slot, &means.service, &mut means.claims)?, None),
        };
        (self.status.port, self.status.note) = (port, note.or(warning));
        Ok(())
    }
}
