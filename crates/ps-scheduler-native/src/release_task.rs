//! The `release` process: run once per deploy, to its end, before anything new starts. If it fails the deploy fails.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use ps_scheduler::{Error, Progress, Slot, Watch};
use ps_supervisor::Spec;

/// Runs the `release` command of a spec, if it has one; its output is told line by line.
pub(crate) fn run(spec: &Spec, watch: &mut Watch<'_>) -> Result<(), Error> {
    let Some(process) = spec.processes.iter().find(|process| process.process_type == "release") else {
        return Ok(());
    };
    let slot: Slot = "release.1".parse().expect("release.1 is a slot");
    let failed =
        |reason: String| Error::DeployFailed { app: spec.app.clone(), slot: slot.to_string(), reason };
    let environment = ps_supervisor::environment(spec, &slot, None).map_err(failed)?;
    (watch.say)(Progress::Note(format!("Running release: {}", process.command)));
    let mut child = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("{{ {}\n}} 2>&1", process.command))
        .env_clear()
        .envs(environment)
        .current_dir(&spec.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("could not be started in {}: {error}", spec.directory.display())))?;
    let mut last = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            (watch.say)(Progress::Output(line.clone()));
            last.push(line);
            if watch.cancel.check().is_err() {
                let _ = child.kill();
            }
        }
    }
    let status = child.wait().map_err(|error| failed(format!("could not be waited for: {error}")))?;
    watch.cancel.check()?;
    if status.success() { Ok(()) } else { Err(failed(format!("failed ({status}); nothing was changed"))) }
}
