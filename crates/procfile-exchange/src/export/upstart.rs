//! Upstart jobs: one for the app, one for each type and one for each instance. Upstart ends a script block at the first line
//! `end script`, even inside quotes, so a value with a line end in it is refused.

use crate::export::draft::Draft;
use crate::export::error::ExportError;
use crate::export::job::{Instance, Job};
use crate::export::output::Output;
use crate::export::text::Text;

/// Renders the jobs.
pub(crate) fn render(job: &Job) -> Result<Vec<Output>, ExportError> {
    let app = &job.settings.app;
    let path = |name: &str| format!("etc/init/{name}.conf");
    let mut outputs = Vec::new();
    for instance in &job.instances {
        if instance.number == 1 {
            let name = format!("{app}-{}", instance.process_type);
            let text = format!(
                "description {name}\n\nstart on starting {app}\nstop on (runlevel [06] or stopping {app})\n"
            );
            outputs.push(Output::file(path(&name), 0o644, text));
        }
        outputs.push(Output::file(path(&job.dashed(instance)), 0o644, conf(job, instance)?));
    }
    let text = format!("description {app}\n\nstart on (started networking)\nstop on runlevel [06]\n");
    outputs.push(Output::file(path(app.as_str()), 0o644, text));
    Ok(outputs)
}

fn conf(job: &Job, instance: &Instance) -> Result<String, ExportError> {
    let settings = &job.settings;
    let (app, name) = (&settings.app, job.dashed(instance));
    let of_type = format!("{app}-{}", instance.process_type);
    let directory = stanza("the working directory", settings.working_directory.text())?;
    let mut text = Draft::default();
    text.put(format_args!(
        "description {}\n\nstart on (starting {of_type} or starting {app})\nstop on (stopping {of_type} or stopping {app})\n\n",
        description(job, &name)
    ));
    text.put(format_args!(
        "setuid {}\nsetgid {}\nchdir  {directory}\nrespawn\n",
        settings.user, settings.group
    ));
    text.put(format_args!("{}{}", options(job), prestart(job)?));
    text.put(format_args!("\nscript\n{}end script\n\n", script(job, instance)?));
    let pid_file = settings.run_path.join(&format!("{name}.pid")).shell_word();
    text.put(format_args!(
        "post-start script\n  PID=`status {name} | egrep -oi '([0-9]+)$' | head -n1`\n  echo $PID > {pid_file}\nend script\n\npost-stop script\n  rm -f {pid_file}\nend script\n"
    ));
    Ok(text.finish())
}

fn description(job: &Job, name: &str) -> String {
    match &job.settings.description {
        None => name.to_owned(),
        Some(text) => format!("\"{}\"", text.as_str().replace(['"', '\\', '\n', '\r', '\t'], " ")),
    }
}

/// The stanzas of limits, nice value and grace period. Those that would repeat a default of Upstart are left out.
fn options(job: &Job) -> String {
    let settings = &job.settings;
    let mut lines: Vec<String> = settings.limits.iter().map(|limit| limit.upstart()).collect();
    lines.extend(settings.nice.map(|nice| format!("nice {nice}")));
    if settings.timeout != 5 {
        lines.push(format!("kill timeout {}", settings.timeout));
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

fn prestart(job: &Job) -> Result<String, ExportError> {
    match &job.settings.prestart {
        None => Ok(String::new()),
        Some(command) => {
            let command = single("the prestart command", command)?.shell_word();
            Ok(format!("\npre-start script\n  /bin/sh -c {command}\nend script\n"))
        }
    }
}

fn script(job: &Job, instance: &Instance) -> Result<String, ExportError> {
    let app = &job.settings.app;
    let mut script = Draft::default();
    for (name, value) in Job::environment(instance, &job.dotted(instance)) {
        let value = single(&format!("variable {name}"), &value)?.shell_word();
        script.put(format_args!("  export {name}={value}\n"));
    }
    for place in ["default", "sysconfig"] {
        script.put(format_args!("  [ -r /etc/{place}/{app} ] && . /etc/{place}/{app}\n"));
    }
    script.put(format_args!("  cd {}\n", job.settings.working_directory.text().shell_word()));
    let command = single(&format!("the command of {}", instance.process_type), &instance.command)?;
    // A shell ignores the IFS that it inherits, but this script has just set the app's, and would split a bare command by it.
    let bare = is_bare(command) && !instance.variables.contains_key("IFS");
    let command = match (instance.is_simple(), bare) {
        (true, true) => command.to_string(),
        (true, false) => format!("/bin/sh -c {}", instance.script().shell_word()),
        (false, _) => format!("/bin/sh -c {}", command.shell_word()),
    };
    let (out, err) = (job.log(instance, "stdout").shell_word(), job.log(instance, "stderr").shell_word());
    script.put(format_args!("  exec {command} \\\n    >> {out} \\\n    2>> {err}\n"));
    Ok(script.finish())
}

/// Whether a command can stand in a script without quotes: it has no quote, comment or backslash that would change what follows it.
fn is_bare(command: &Text) -> bool {
    !command.as_str().contains(['"', '\'', '\\', '#'])
}

/// The value, unless it has a line end.
fn single<'a>(what: &str, text: &'a Text) -> Result<&'a Text, ExportError> {
    if text.as_str().contains(['\n', '\r']) {
        let why = "holds a line end, which an Upstart job cannot".to_owned();
        return Err(ExportError::Value { what: what.to_owned(), why });
    }
    Ok(text)
}

/// A quoted word of a stanza. Upstart knows no escapes there, so quotes and backslashes become blanks.
fn stanza(what: &str, text: &Text) -> Result<String, ExportError> {
    let text = single(what, text)?.as_str();
    if text.contains(['"', '\'', '\\']) {
        let why = "holds a quote or backslash, which an Upstart stanza cannot".to_owned();
        return Err(ExportError::Value { what: what.to_owned(), why });
    }
    Ok(if text.contains([' ', '#', '\t']) { format!("\"{text}\"") } else { text.to_owned() })
}
