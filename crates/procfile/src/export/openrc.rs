//! OpenRC service scripts, under its own supervisor. OpenRC's variables are lower-case, so a variable of the app that
//! is lower-case, too, is refused: it could take the place of the command.

use crate::export::draft::Draft;
use crate::export::job::{Instance, Job, plain};
use crate::export::text::Text;
use crate::export::{ExportError, Output};

/// The scripts.
pub(crate) fn render(job: &Job) -> Result<Vec<Output>, ExportError> {
    let path = |instance| format!("etc/init.d/{}", job.dashed(instance));
    let file = |instance| Ok(Output::file(path(instance), 0o700, script(job, instance)?));
    job.instances.iter().map(file).collect()
}

fn script(job: &Job, instance: &Instance) -> Result<String, ExportError> {
    let settings = &job.settings;
    let name = job.dashed(instance);
    let mut script = Draft::default();
    script.line("#!/sbin/openrc-run\n");
    let mut set = |variable: &str, value: &Text| {
        script.put(format_args!("{variable}={}\n", value.shell_word()));
    };
    set("name", &plain(&name));
    set("description", &job.description(instance));
    set("supervisor", &plain("supervise-daemon"));
    set("command", &plain("/bin/sh"));
    // OpenRC evaluates the arguments once more.
    set("command_args", &plain(&format!("-c {}", instance.script().shell_word())));
    set("command_user", &plain(&format!("{}:{}", settings.user, settings.group)));
    set("directory", settings.working_directory.text());
    set("pidfile", &settings.run_path.join(&format!("{name}.pid")));
    set("output_log", &job.log(instance, "stdout"));
    set("error_log", &job.log(instance, "stderr"));
    set("respawn_delay", &plain("14"));
    set("retry", &plain(&format!("TERM/{0}/KILL/5", settings.timeout)));
    if let Some(nice) = settings.nice {
        set("supervise_daemon_args", &plain(&format!("--nicelevel {nice}")));
    }
    for (variable, value) in Job::environment(instance, &job.dotted(instance)) {
        if variable.bytes().any(|byte| byte.is_ascii_lowercase()) || variable.starts_with("RC_") {
            let why = "could take the place of a variable of OpenRC".to_owned();
            return Err(ExportError::Value { what: format!("variable {variable}"), why });
        }
        script.put(format_args!("export {variable}={}\n", value.shell_word()));
    }
    script.line("\ndepend() {\n  need net\n}\n\nstart_pre() {");
    script.put(format_args!("  checkpath --directory {}\n", settings.run_path.text().shell_word()));
    for limit in &settings.limits {
        script.put(format_args!("  {} || return 1\n", limit.ulimit()));
    }
    if let Some(prestart) = &settings.prestart {
        let user = &settings.user;
        script.put(format_args!("  su -s /bin/sh {user} -c {} || return 1\n", prestart.shell_word()));
    }
    script.line("}");
    Ok(script.finish())
}
