//! systemd units: a service per instance, and a target that wants them all. For a user there is no target.

use crate::export::draft::Draft;
use crate::export::held::{held, path_loader};
use crate::export::job::{Instance, Job, plain};
use crate::export::output::Output;
use crate::export::text::Text;

const LOGIN_SHELL: &str = "/bin/bash -lc";
const PLAIN_SHELL: &str = "/bin/sh -c";
const PATH: &str = "PATH";

/// The text of a unit file while it is written.
#[derive(Default)]
pub(crate) struct Unit(Draft);

impl Unit {
    pub(crate) fn section(&mut self, name: &str) {
        if !self.0.is_empty() {
            self.0.line("");
        }
        self.line(&format!("[{name}]"));
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.0.line(line);
    }

    /// Adds `key=value`, where the value is the rest of the line.
    pub(crate) fn value(&mut self, key: &str, value: &Text) {
        self.line(&format!("{key}={}", value.unit_value()));
    }

    /// Adds an `Environment=` line. A value is quoted only if it must be.
    fn variable(&mut self, name: &str, value: &Text) {
        let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:,@+-".contains(&byte);
        if value.as_str().bytes().all(bare) {
            self.line(&format!("Environment={name}={value}"));
        } else {
            let word = plain(&format!("{name}={value}")).unit_word();
            self.line(&format!("Environment={word}"));
        }
    }

    /// The whole text.
    pub(crate) fn finish(self) -> String {
        self.0.finish()
    }
}

/// Units for the system.
pub(crate) fn render(job: &Job) -> Vec<Output> {
    let app = &job.settings.app;
    let name = |instance: &Instance| format!("{}.service", job.dotted(instance));
    let mut outputs: Vec<Output> = Vec::new();
    for instance in &job.instances {
        let path = format!("etc/systemd/system/{}", name(instance));
        outputs.push(Output::file(path, 0o644, service(job, instance)));
    }
    let wants: Vec<String> = job.instances.iter().map(name).collect();
    let mut target = Unit::default();
    target.section("Unit");
    target.line(&format!("Wants={}", wants.join(" ")));
    target.section("Install");
    target.line("WantedBy=multi-user.target");
    outputs.push(Output::file(format!("etc/systemd/system/{app}.target"), 0o644, target.0.finish()));
    outputs
}

fn service(job: &Job, instance: &Instance) -> String {
    let settings = &job.settings;
    let app = &settings.app;
    let mut unit = Unit::default();
    unit.section("Unit");
    unit.value("Description", &one_line(&job.description(instance)));
    unit.line(&format!("PartOf={app}.target"));
    unit.line("Wants=network-online.target");
    unit.line("After=network-online.target");
    unit.section("Service");
    unit.line(&format!("User={}", settings.user));
    unit.line(&format!("Group={}", settings.group));
    unit.value("WorkingDirectory", settings.working_directory.text());
    for (name, value) in Job::environment(instance, &job.dotted(instance)) {
        let name = if name == PATH { held(PATH) } else { name };
        unit.variable(&name, &value);
    }
    unit.line(&format!("EnvironmentFile=-/etc/default/{app}"));
    unit.line(&format!("EnvironmentFile=-/etc/sysconfig/{app}"));
    commands(&mut unit, job, instance, LOGIN_SHELL);
    upkeep(&mut unit, job, instance);
    unit.section("Install");
    unit.line(&format!("WantedBy={app}.target"));
    unit.0.finish()
}

/// Units for one user.
pub(crate) fn render_for_user(job: &Job) -> Vec<Output> {
    let home = job.settings.home.as_str().trim_matches('/');
    let directory = if home.is_empty() { String::new() } else { format!("{home}/") };
    let path = |instance| format!("{directory}.config/systemd/user/{}.service", job.dashed(instance));
    let file = |instance| Output::file(path(instance), 0o644, user_service(job, instance));
    job.instances.iter().map(file).collect()
}

fn user_service(job: &Job, instance: &Instance) -> String {
    let settings = &job.settings;
    let mut unit = Unit::default();
    unit.section("Unit");
    unit.value("Description", &one_line(&job.description(instance)));
    unit.section("Service");
    unit.value("WorkingDirectory", settings.working_directory.text());
    unit.line("Type=simple");
    environment(&mut unit, job, instance);
    let variables = format!(".config/systemd/user/{}.environment", job.dotted(instance));
    unit.line(&format!("EnvironmentFile=-{}", settings.home.join(&variables).unit_value()));
    commands(&mut unit, job, instance, PLAIN_SHELL);
    upkeep(&mut unit, job, instance);
    unit.section("Install");
    unit.line("WantedBy=default.target");
    unit.0.finish()
}

fn environment(unit: &mut Unit, job: &Job, instance: &Instance) {
    for (name, value) in Job::environment(instance, &job.dotted(instance)) {
        unit.variable(&name, &value);
    }
}

fn commands(unit: &mut Unit, job: &Job, instance: &Instance, shell: &str) {
    // A login shell's profile sets PATH anew, so the app's own is put in place behind it.
    let loader = (shell == LOGIN_SHELL && instance.variables.contains_key(PATH)).then(path_loader);
    let mut command = |key, script: &Text| match &loader {
        None => unit.line(&format!("{key}={shell} {}", script.unit_argument())),
        Some(loader) => {
            unit.line(&format!("{key}={shell} {} {}", loader.unit_argument(), script.unit_argument()));
        }
    };
    if let Some(prestart) = &job.settings.prestart {
        command("ExecStartPre", prestart);
    }
    command("ExecStart", &instance.script());
}

fn upkeep(unit: &mut Unit, job: &Job, instance: &Instance) {
    unit.line("Restart=always");
    unit.line("RestartSec=14s");
    unit.line("StandardInput=null");
    for (key, stream) in [("StandardOutput", "stdout"), ("StandardError", "stderr")] {
        unit.line(&format!("{key}=append:{}", job.log(instance, stream).unit_value()));
    }
    unit.line("SyslogIdentifier=%n");
    // SIGTERM must reach what the shell started, where it could not put the command in its own place.
    unit.line(if instance.is_simple() { "KillMode=mixed" } else { "KillMode=control-group" });
    unit.line(&format!("TimeoutStopSec={}", job.settings.timeout));
    if let Some(nice) = job.settings.nice {
        unit.line(&format!("Nice={nice}"));
    }
    for limit in &job.settings.limits {
        unit.line(&limit.systemd());
    }
}

/// A description on one line, which a backslash at its end would not end.
pub(crate) fn one_line(text: &Text) -> Text {
    let line = text.as_str().split_whitespace().collect::<Vec<_>>().join(" ");
    plain(line.trim_end_matches(['\\', ' ']))
}
