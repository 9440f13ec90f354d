//! System V init scripts: one per instance, for a POSIX shell. The process leads its own session, so that a stop
//! reaches all that it started. `/etc/default/<app>` is opened by root and read by the app's own shell.

use crate::export::draft::Draft;
use crate::export::held::{held, release};
use crate::export::job::{Instance, Job, plain};
use crate::export::output::Output;
use crate::export::text::Text;

/// The part that is the same in every script. It uses the shell variables that stand above it.
const ACTIONS: &str = include_str!("sysv.sh");

/// Reads `/etc/default/<app>` while `PATH` is still the system's, and sets what it says after the app's variables.
const READ: &str = "set -- \"$(cat <&4; echo; cat <&5)\"; exec 4<&- 5<&-; ";
const SET: &str = "set -a; eval \"$1\"; set +a; ";

/// Renders the scripts.
pub(crate) fn render(job: &Job) -> Vec<Output> {
    let path = |instance| format!("etc/init.d/{}", job.dashed(instance));
    let file = |instance| Output::file(path(instance), 0o755, script(job, instance));
    job.instances.iter().map(file).collect()
}

fn script(job: &Job, instance: &Instance) -> String {
    let settings = &job.settings;
    let name = job.dashed(instance);
    let mut script = Draft::default();
    script.line(&header(&name, &job.description(instance)));
    let mut set = |variable: &str, value: &Text| {
        script.put(format_args!("{variable}={}\n", value.shell_word()));
    };
    set("name", &plain(&name));
    set("user", &plain(&settings.user.to_string()));
    set("group", &plain(&settings.group.to_string()));
    set("directory", settings.working_directory.text());
    set("run_directory", settings.run_path.text());
    set("pid_file", &settings.run_path.join(&format!("{name}.pid")));
    set("stdout_log", &job.log(instance, "stdout"));
    set("stderr_log", &job.log(instance, "stderr"));
    set("stop_timeout", &plain(&settings.timeout.to_string()));
    set("nice_value", &plain(&settings.nice.unwrap_or(0).to_string()));
    // SIGTERM goes to the whole session where the shell could not put the command in its own place.
    set("stop_session", &plain(if instance.is_simple() { "no" } else { "yes" }));
    let app = &settings.app;
    set("default", &plain(&format!("/etc/default/{app}")));
    set("sysconfig", &plain(&format!("/etc/sysconfig/{app}")));
    let variables = Job::environment(instance, &job.dotted(instance));
    let names = variables.iter().map(|(name, _)| name.as_str());
    set("loader", &release(READ, names, SET, "/bin/sh"));
    script.line("\nset_environment() {");
    for (variable, value) in &variables {
        script.put(format_args!("  export {}={}\n", held(variable), value.shell_word()));
    }
    script.line("}");
    script.line("\nset_limits() {");
    for limit in &settings.limits {
        script.put(format_args!("  {} || return 1\n", limit.ulimit()));
    }
    script.line("  return 0\n}\n\nprestart() {");
    match &settings.prestart {
        Some(command) => script.put(format_args!("  launch {}\n", command.shell_word())),
        None => script.line("  :"),
    }
    script.put(format_args!(
        "}}\n\nrun() {{\n  launch {} nice -n \"$nice_value\" setsid\n}}\n\n",
        instance.script().shell_word()
    ));
    script.put(format_args!("{ACTIONS}"));
    script.finish()
}

fn header(name: &str, description: &Text) -> String {
    let description = description.as_str().split_whitespace().collect::<Vec<_>>().join(" ");
    format!(
        "#!/bin/sh\n### BEGIN INIT INFO\n# Provides:          {name}\n# Required-Start:    $remote_fs $network\n# Required-Stop:     $remote_fs $network\n# Default-Start:     2 3 4 5\n# Default-Stop:      0 1 6\n# Short-Description: {description}\n### END INIT INFO\n# The shell that runs the command expands it, and every sh there is knows these limits.\n# shellcheck disable=SC1003,SC2016,SC3045\n"
    )
}
