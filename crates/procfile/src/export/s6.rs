//! s6 service directories: a run script, its environment as one private file per variable, and a logger.

use crate::export::draft::Draft;
use crate::export::job::{Instance, Job};
use crate::export::runit::envdir;
use crate::export::{ExportError, Output};

/// The service directories.
pub(crate) fn render(job: &Job) -> Result<Vec<Output>, ExportError> {
    let mut outputs = Vec::new();
    for instance in &job.instances {
        outputs.extend(service(job, instance)?);
    }
    Ok(outputs)
}

fn service(job: &Job, instance: &Instance) -> Result<Vec<Output>, ExportError> {
    let directory = format!("etc/s6/{}", job.dashed(instance));
    let make = |path: String, mode| Output { announcement: "creating: ", path, mode, contents: None };
    let kill = u64::from(job.settings.timeout) * 1000;
    let mut outputs = vec![
        make(directory.clone(), 0o755),
        make(format!("{directory}/env"), 0o700),
        Output::file(format!("{directory}/run"), 0o755, run(job, instance)),
        Output::file(format!("{directory}/timeout-kill"), 0o644, format!("{kill}\n")),
        Output::file(format!("{directory}/log/run"), 0o755, log(job, instance)),
    ];
    for (name, value) in Job::environment(instance, &job.dotted(instance)) {
        outputs.push(Output {
            announcement: "writing: ",
            path: format!("{directory}/env/{name}"),
            mode: 0o600,
            contents: Some(envdir(&name, value.as_str())?),
        });
    }
    Ok(outputs)
}

fn run(job: &Job, instance: &Instance) -> String {
    let settings = &job.settings;
    let mut script = Draft::default();
    script.line(
        "#!/bin/sh\n# The shell that runs the command expands it, and every sh there is knows these limits.",
    );
    script.line("# shellcheck disable=SC2016,SC3045\nENVDIR=\"$PWD/env\"");
    script.put(format_args!("cd {} || exit 1\nexec 2>&1\n", settings.working_directory.text().shell_word()));
    for limit in &settings.limits {
        script.put(format_args!("{} || exit 1\n", limit.ulimit()));
    }
    let user = format!("s6-envdir \"$ENVDIR\" s6-setuidgid {}:{}", settings.user, settings.group);
    if let Some(prestart) = &settings.prestart {
        script.put(format_args!("{user} /bin/sh -c {} || exit 1\n", prestart.shell_word()));
    }
    let nice = settings.nice.map_or_else(String::new, |nice| format!("nice -n {nice} "));
    script.put(format_args!("exec {nice}{user} /bin/sh -c {}\n", instance.script().shell_word()));
    script.finish()
}

fn log(job: &Job, instance: &Instance) -> String {
    let settings = &job.settings;
    let directory = settings.log_path.join(&job.dashed(instance)).shell_word();
    format!(
        "#!/bin/sh\nset -e\n\nLOG={directory}\n\nif ! test -d \"$LOG\"; then\n  mkdir -p \"$LOG\"\n  chmod 2750 \"$LOG\"\n  chown {0}:{1} \"$LOG\"\nfi\nexec s6-setuidgid {0}:{1} s6-log \"$LOG\"\n",
        settings.user, settings.group
    )
}
