//! Warnings about types of which no instance runs after a deploy.

use anyhow::Result;
use formation::{AppName, Formation, ProcessType};
use ps_cli::say;
use ps_release::{Process, Release, remarks};

use crate::release;
use crate::session::Session;

/// Warns if no instance at all will run after a deploy, and if a type with a schedule is never due because its count is 0.
pub(crate) fn warn(app: &AppName, release: &Release, wanted: &Formation) {
    if release.with_tasks(wanted).iter().all(|(_, quantity)| quantity.get() == 0) {
        say::warning(&nothing(app, release));
    }
    release::say_all(&remarks::of_schedules(app, release, wanted));
}

/// The warning that no instance will run, for example because the only process type has been renamed.
fn nothing(app: &AppName, release: &Release) -> String {
    let types = release.processes.iter().map(|process| &process.process_type);
    let way_out = types.into_iter().find(|process_type| !process_type.is_release());
    let way_out = way_out.map(|process_type| format!(": ps-scale {app} {process_type}=1 starts one"));
    format!("no instance of {app} is wanted{}", way_out.unwrap_or_default())
}

/// The types without an instance after a first deploy, because a new app has only one instance of `web`. A user who has run the
/// Procfile with another program expects one instance of each type.
pub(crate) fn types(release: &Release, wanted: &Formation) -> Vec<String> {
    let is_wanted = |name: &ProcessType| wanted.iter().any(|(of, count)| of == name && count.get() > 0);
    let is_expected = |process: &&Process| {
        let name = &process.process_type;
        !name.is_release() && process.settings.schedule.is_none() && !is_wanted(name)
    };
    let names = release.processes.iter().filter(is_expected).map(|process| process.process_type.to_string());
    // If no type has an instance, another warning says so.
    let is_any = wanted.iter().any(|(_, count)| count.get() > 0);
    names.filter(|_| is_any).collect()
}

/// Names these types, and how to start them.
pub(crate) fn tell(session: &Session, app: &AppName, names: &[String]) -> Result<()> {
    let have = match names.len() {
        0 => return Ok(()),
        1 => "has",
        _ => "have",
    };
    let counts: Vec<String> = names.iter().map(|name| format!("{name}=1")).collect();
    let (names, counts) = (names.join(", "), counts.join(" "));
    session.detail(&format!("{names} {have} no instance yet: ps-scale {app} {counts}"))
}
