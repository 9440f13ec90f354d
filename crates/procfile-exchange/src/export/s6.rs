//! s6 service directories: a run script, the variables in one private file, and a logger. s6-envdir is not used, for two reasons: it
//! cuts a value after 4095 bytes and says nothing, and the programs that it starts run as root and would obey the app's
//! variables. Instead, a shell that already runs as the app's user reads the file.

use crate::export::draft::Draft;
use crate::export::job::{Instance, Job, plain};
use crate::export::output::Output;

/// The script of the shell that runs as the app's user: it reads the variables and replaces itself by a new shell, which runs the
/// script in `$0`.
const LOADER: &str = r#"eval "$(cat <&3 || echo exit 1)"; exec /bin/sh -c "$0" 3<&-"#;

/// Renders the service directories.
pub(crate) fn render(job: &Job) -> Vec<Output> {
    job.instances.iter().flat_map(|instance| service(job, instance)).collect()
}

fn service(job: &Job, instance: &Instance) -> Vec<Output> {
    let directory = format!("etc/s6/{}", job.dashed(instance));
    let make = |path: String, mode| Output { announcement: "creating: ", path, mode, contents: None };
    let kill = u64::from(job.settings.timeout) * 1000;
    vec![
        make(directory.clone(), 0o755),
        Output::file(format!("{directory}/run"), 0o755, run(job, instance)),
        Output::file(format!("{directory}/environment"), 0o600, environment(job, instance)),
        Output::file(format!("{directory}/timeout-kill"), 0o644, format!("{kill}\n")),
        Output::file(format!("{directory}/log/run"), 0o755, log(job, instance)),
    ]
}

fn environment(job: &Job, instance: &Instance) -> String {
    let mut script = Draft::default();
    for (name, value) in Job::environment(instance, &job.dotted(instance)) {
        script.put(format_args!("export {name}={}\n", value.shell_word()));
    }
    script.finish()
}

/// Looks the numbers of user and group up, because s6-setuidgid takes the two together as numbers only.
fn owner(job: &Job) -> String {
    let settings = &job.settings;
    format!(
        "USER_ID=$(id -u {}) || exit 1\nGROUP_ID=$(getent group {} | cut -d: -f3)\n: \"${{GROUP_ID:?there is no such group}}\"\n",
        settings.user, settings.group
    )
}

fn run(job: &Job, instance: &Instance) -> String {
    let settings = &job.settings;
    let mut script = Draft::default();
    script.line(
        "#!/bin/sh\n# The shell that runs the command expands it, and every sh there is knows these limits.",
    );
    script.line("# shellcheck disable=SC1003,SC2016,SC3045\nENVIRONMENT=\"$PWD/environment\"\nexec 2>&1");
    script.put(format_args!("{}", owner(job)));
    script.put(format_args!("cd {} || exit 1\n", settings.working_directory.text().shell_word()));
    for limit in &settings.limits {
        script.put(format_args!("{} || exit 1\n", limit.ulimit()));
    }
    let user = format!("s6-setuidgid \"$USER_ID:$GROUP_ID\" /bin/sh -c {}", plain(LOADER).shell_word());
    if let Some(prestart) = &settings.prestart {
        script.put(format_args!("{user} {} 3<\"$ENVIRONMENT\" || exit 1\n", prestart.shell_word()));
    }
    let nice = settings.nice.map_or_else(String::new, |nice| format!("nice -n {nice} "));
    script.put(format_args!("exec {nice}{user} {} 3<\"$ENVIRONMENT\"\n", instance.script().shell_word()));
    script.finish()
}

fn log(job: &Job, instance: &Instance) -> String {
    let settings = &job.settings;
    let directory = settings.log_path.join(&job.dashed(instance)).shell_word();
    format!(
        "#!/bin/sh\nset -e\n\nLOG={directory}\n{}\nif ! test -d \"$LOG\"; then\n  mkdir -p \"$LOG\"\n  chmod 2750 \"$LOG\"\n  chown {}:{} \"$LOG\"\nfi\nexec s6-setuidgid \"$USER_ID:$GROUP_ID\" s6-log \"$LOG\"\n",
        owner(job),
        settings.user,
        settings.group
    )
}
