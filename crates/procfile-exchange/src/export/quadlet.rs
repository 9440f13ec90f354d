//! Podman's Quadlet: a `.container` unit per instance. Quadlet copies its words into the command line of a systemd service, and
//! systemd expands `$` and `%` there. So variables are quoted as arguments of `ExecStart=` are. Podman 5 has keys of its own
//! for what stands in `PodmanArgs=` here; with `PodmanArgs=` the units work with Podman 4.4, too.

use crate::export::job::{Instance, Job, plain};
use crate::export::output::Output;
use crate::export::systemd;

/// Renders the units.
pub(crate) fn render(job: &Job) -> Vec<Output> {
    let path = |instance| format!("etc/containers/systemd/{}.container", job.dashed(instance));
    let file = |instance| Output::file(path(instance), 0o600, container(job, instance));
    job.instances.iter().map(file).collect()
}

fn container(job: &Job, instance: &Instance) -> String {
    let settings = &job.settings;
    let mut unit = systemd::Unit::default();
    unit.section("Unit");
    unit.value("Description", &systemd::one_line(&job.description(instance)));
    unit.section("Container");
    unit.value("Image", &settings.image);
    unit.line(&format!("Exec=-c {}", instance.script().unit_argument()));
    for (name, value) in Job::environment(instance, &job.dotted(instance)) {
        unit.line(&format!("Environment={}", plain(&format!("{name}={value}")).unit_argument()));
    }
    let directory = plain(&format!("--workdir={}", settings.working_directory)).unit_argument();
    unit.line(&format!("PodmanArgs=--entrypoint=/bin/sh {directory} --stop-timeout={}", settings.timeout));
    unit.section("Service");
    unit.line("Restart=always");
    unit.line("RestartSec=14s");
    unit.section("Install");
    unit.line("WantedBy=multi-user.target default.target");
    unit.finish()
}
