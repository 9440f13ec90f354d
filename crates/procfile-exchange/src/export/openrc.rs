//! OpenRC service scripts, under OpenRC's own supervisor. OpenRC splits, expands and evaluates the settings of a script a second time,
//! and passes the script's variables to programs that run as root. So a setting only refers to a shell variable that holds the
//! text, a path that OpenRC uses without quotes must be plain, and the app's variables are held (see `held`) until a shell that
//! runs as the app's user gives them their names.

use crate::export::draft::Draft;
use crate::export::error::ExportError;
use crate::export::held::{held, release};
use crate::export::job::{Instance, Job, plain};
use crate::export::output::Output;
use crate::export::text::{AbsolutePath, Text};

/// Renders the scripts.
pub(crate) fn render(job: &Job) -> Result<Vec<Output>, ExportError> {
    refuse_odd_path("the log path", &job.settings.log_path)?;
    refuse_odd_path("the run path", &job.settings.run_path)?;
    let path = |instance| format!("etc/init.d/{}", job.dashed(instance));
    let file = |instance| Output::file(path(instance), 0o700, script(job, instance));
    Ok(job.instances.iter().map(file).collect())
}

fn refuse_odd_path(what: &str, path: &AbsolutePath) -> Result<(), ExportError> {
    if path.text().shell_word() == path.as_str() {
        return Ok(());
    }
    let why = "holds a character that OpenRC would take for its own".to_owned();
    Err(ExportError::Value { what: what.to_owned(), why })
}

fn script(job: &Job, instance: &Instance) -> String {
    let settings = &job.settings;
    let name = job.dashed(instance);
    let variables = Job::environment(instance, &job.dotted(instance));
    let go = format!("cd {} || exit 1; ", settings.working_directory.text().shell_word());
    let loader = release(&go, variables.iter().map(|(name, _)| name.as_str()), "", "/bin/sh");
    let mut script = Draft::default();
    script.line("#!/sbin/openrc-run\n# Its settings are read by OpenRC, and every sh there is knows these limits.\n# shellcheck shell=sh disable=SC1003,SC2016,SC2034,SC3045\n");
    let mut set = |variable: &str, value: &Text| {
        script.put(format_args!("{variable}={}\n", value.shell_word()));
    };
    set("name", &plain(&name));
    set("description", &job.description(instance));
    set("supervisor", &plain("supervise-daemon"));
    set("command", &plain("/bin/sh"));
    set("for_app_loader", &loader);
    set("for_app_script", &instance.script());
    set("command_args", &plain("-c \"$for_app_loader\" \"$for_app_script\""));
    set("command_user", &plain(&format!("{}:{}", settings.user, settings.group)));
    set("pidfile", &settings.run_path.join(&format!("{name}.pid")));
    set("output_log", &job.log(instance, "stdout"));
    set("error_log", &job.log(instance, "stderr"));
    set("respawn_delay", &plain("14"));
    set("retry", &plain(&format!("TERM/{0}/KILL/5", settings.timeout)));
    if let Some(nice) = settings.nice {
        set("supervise_daemon_args", &plain(&format!("--nicelevel {nice}")));
    }
    for (variable, value) in &variables {
        script.put(format_args!("export {}={}\n", held(variable), value.shell_word()));
    }
    script.line("\ndepend() {\n  need net\n}\n\nstart_pre() {");
    script.put(format_args!("  checkpath --directory {}\n", settings.run_path.text().shell_word()));
    let owner = format!("{}:{}", settings.user, settings.group);
    for stream in ["stdout", "stderr"] {
        // OpenRC's supervisor opens the logs as the app's user, who may not create files in that directory.
        let log = job.log(instance, stream).shell_word();
        script.put(format_args!("  checkpath --file --mode 0640 --owner {owner} {log}\n"));
    }
    for limit in &settings.limits {
        script.put(format_args!("  {} || return 1\n", limit.ulimit()));
    }
    if let Some(prestart) = &settings.prestart {
        let user = &settings.user;
        script.put(format_args!(
            "  su -s /bin/sh -c \"$for_app_loader\" -- {user} {} || return 1\n",
            prestart.shell_word()
        ));
    }
    script.line("}");
    script.finish()
}
