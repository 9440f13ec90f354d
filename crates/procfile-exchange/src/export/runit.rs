//! runit service directories: a run script, a directory with one file per variable, and a logger. Variables may be secrets, so
//! only the owner may read that directory.

use crate::export::draft::Draft;
use crate::export::error::ExportError;
use crate::export::job::{Instance, Job, plain};
use crate::export::output::Output;

/// Renders the service directories.
pub(crate) fn render(job: &Job) -> Result<Vec<Output>, ExportError> {
    let mut outputs = Vec::new();
    for instance in &job.instances {
        outputs.extend(service(job, instance)?);
    }
    Ok(outputs)
}

fn service(job: &Job, instance: &Instance) -> Result<Vec<Output>, ExportError> {
    let directory = format!("service/{}", job.dashed(instance));
    let make = |announcement, path: String, mode| Output { announcement, path, mode, contents: None };
    let mut outputs = vec![
        make("creating: ", directory.clone(), 0o755),
        make("creating: ", format!("{directory}/env"), 0o700),
        Output::file(format!("{directory}/run"), 0o755, run(job, instance)),
    ];
    for (name, value) in Job::environment(instance, &job.dashed(instance)) {
        outputs.push(Output {
            announcement: "writing:  ",
            path: format!("{directory}/env/{name}"),
            mode: 0o600,
            contents: Some(envdir(&name, value.as_str())?),
        });
    }
    outputs.push(make("creating:  ", format!("{directory}/log"), 0o755));
    outputs.push(Output::file(format!("{directory}/log/run"), 0o755, log(job, instance)));
    Ok(outputs)
}

/// The content of the file of a variable. chpst reads the first line alone, cuts blanks at its end, and reads NUL as LF. An empty file
/// would have chpst remove the variable, so an empty value is an empty line.
fn envdir(name: &str, value: &str) -> Result<Vec<u8>, ExportError> {
    if value.ends_with([' ', '\t']) {
        let why = "ends in a blank, which would be cut when it is read".to_owned();
        return Err(ExportError::Value { what: format!("variable {name}"), why });
    }
    Ok(if value.is_empty() { b"\n".to_vec() } else { value.replace('\n', "\0").into_bytes() })
}

fn run(job: &Job, instance: &Instance) -> String {
    let settings = &job.settings;
    let mut script = Draft::default();
    script.line("#!/bin/sh\n# The shell that runs the command expands it, and every sh there is knows these limits.\n# shellcheck disable=SC1003,SC2016,SC3045\nENVDIR=\"$PWD/env\"");
    script.put(format_args!("cd {} || exit 1\n", settings.working_directory.text().shell_word()));
    script.line("exec 2>&1");
    for limit in &settings.limits {
        script.put(format_args!("{} || exit 1\n", limit.ulimit()));
    }
    let mut chpst = format!("chpst -u {}:{} -e \"$ENVDIR\"", settings.user, settings.group);
    if let Some(prestart) = &settings.prestart {
        script.put(format_args!("{chpst} /bin/sh -c {} || exit 1\n", prestart.shell_word()));
    }
    if let Some(nice) = settings.nice {
        chpst = format!("{chpst} -n {nice}");
    }
    script.put(format_args!("exec {chpst} /bin/sh -c {}\n", instance.script().shell_word()));
    script.finish()
}

fn log(job: &Job, instance: &Instance) -> String {
    let settings = &job.settings;
    let directory = settings.log_path.join(&job.dashed(instance)).shell_word();
    let owner = plain(&format!("{}:{}", settings.user, settings.group)).shell_word();
    format!(
        "#!/bin/sh\nset -e\n\nLOG={directory}\n\nif ! test -d \"$LOG\"; then\n  mkdir -p \"$LOG\"\n  chmod 2750 \"$LOG\"\n  chown {owner} \"$LOG\"\nfi\nexec chpst -u {owner} svlogd \"$LOG\"\n"
    )
}
