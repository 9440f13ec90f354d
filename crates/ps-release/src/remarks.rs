//! Remarks about settings in the files and properties of an app that a deploy ignores. Each is one line, printed before
//! the deploy changes anything. Inside Dokku, Dokku's plugins handle most of these keys and properties, so there the
//! remarks are only about the checks of native apps.

use std::fs;

use app_json::{AppJson, Remark, Script};
use formation::{AppName, FIRST_TYPE, Formation, Milestone, ProcessType, Wait};
use procfile::Procfile;
use ps_apps::{DOKKU_SCALE, SchedulerName, Scope, World, nearby};
use type_settings::{Setting, TypeSettings};

use crate::checks_file::CHECKS;
use crate::{APP_JSON, DOCKERFILE_START_CMD, Error, Process, Release, START_CMD, Source, assembly};

/// The most remarks that are shown. Nobody reads more than this.
const MAX_REMARKS: usize = 20;
/// Properties that plugins of Dokku read during a deploy: the plugin, the property, and what Formation does instead.
const OF_PLUGINS: [(&str, &str, &str); 2] = [
    (CHECKS_PLUGIN, "disabled", "it is for containers, the setting checks is for all"),
    (CHECKS_PLUGIN, "skipped", "it is for containers, the setting checks is for all"),
];
const CHECKS_PLUGIN: &str = "checks";
const RUN_TIMEOUT: &str = "run-timeout";

/// All remarks about a deploy. `is_command`: the deploy was given a command of its own.
pub fn of_deploy(
    world: &World,
    app: &AppName,
    procfile: Option<&Procfile>,
    app_json: &AppJson,
    (release, scheduler): (&Release, &SchedulerName),
    is_command: bool,
) -> Result<Vec<String>, Error> {
    let are_tasks_run = assembly::is_run_here(world, &release.source);
    let is_meant = |place: &str| !(are_tasks_run && (place == "cron" || is_script(place)));
    let mut lines = of_app_json(app_json, procfile, is_meant);
    lines.extend(procfile.iter().flat_map(|procfile| of_procfile(procfile)));
    lines.extend(of_directory(&release.source, app_json));
    lines.extend(of_properties(world, app, release)?);
    if matches!(release.source, Source::Services(_)) {
        lines.extend(scheduled(release).map(|name| {
            format!("{name} is not run: it has a schedule, and no schedule of a Compose file's service is followed")
        }));
    }
    lines.extend(of_settings(release, *scheduler == SchedulerName::Swarm));
    lines.extend(of_order(release));
    if is_command && world.ps_property(app, START_CMD)?.is_some() {
        lines.push(format!("{START_CMD} runs in place of --command: ps-set {app} {START_CMD} clears it"));
    }
    Ok(lines)
}

/// The remarks about checks of a native app inside Dokku. The scheduler `native` makes the checks there; everything
/// else in the file is handled by Dokku's own plugins.
pub fn of_checks(app_json: &AppJson) -> Vec<String> {
    of_places(app_json, |place| place.starts_with("healthchecks"))
}

/// Whether the key is one of the scripts of a deploy.
fn is_script(place: &str) -> bool {
    let all = [Script::Predeploy, Script::Postdeploy, Script::FirstDeploy];
    all.into_iter().any(|script| script.place() == place)
}

fn of_app_json(
    app_json: &AppJson,
    procfile: Option<&Procfile>,
    is_meant: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut lines = of_places(app_json, is_meant);
    let is_missing = |name: &&str| procfile.is_some_and(|procfile| procfile.get(name).is_none());
    let formed = app_json.formation_types().map(|name| ("formation", name));
    let checked = app_json.checked_types().map(|name| ("healthchecks", name));
    let unknown = formed.chain(checked).filter(|(_, name)| is_missing(name)).take(MAX_REMARKS);
    lines.extend(
        unknown
            .map(|(key, name)| format!("{APP_JSON}: {key} for {name:?}, which the Procfile does not have")),
    );
    lines
}

fn of_places(app_json: &AppJson, is_meant: impl Fn(&str) -> bool) -> Vec<String> {
    let all: Vec<_> = app_json.remarks().iter().filter(|remark| is_meant(remark.place())).collect();
    let mut lines: Vec<String> =
        all.iter().take(MAX_REMARKS).map(|remark| format!("{APP_JSON}: {remark}")).collect();
    if all.len() > MAX_REMARKS {
        lines.push(format!("{APP_JSON}: and {} more like these", all.len() - MAX_REMARKS));
    }
    lines
}

/// The remarks about unknown keys alone, as [`of_deploy`] words them.
pub fn of_unknown_keys(app_json: &AppJson) -> Vec<String> {
    let is_unknown = |remark: &&Remark| matches!(remark, Remark::Unknown { .. });
    app_json.remarks().iter().filter(is_unknown).map(|remark| format!("{APP_JSON}: {remark}")).collect()
}

/// Commands that run differently from how they are written, for example because a part is cut as a comment.
fn of_procfile(procfile: &Procfile) -> Vec<String> {
    let changed = procfile.changed_commands();
    let told = changed.iter().take(MAX_REMARKS);
    told.map(|warning| format!("Procfile: {warning}: {}", warning.kind.advice())).collect()
}

/// Types that have a schedule but no instance, so that nothing will run at the scheduled times.
pub fn of_schedules(app: &AppName, release: &Release, wanted: &Formation) -> Vec<String> {
    let is_idle = |name: &&ProcessType| wanted.get(name.as_str()).is_none_or(|quantity| quantity.get() == 0);
    let idle = scheduled(release).filter(is_idle);
    idle.map(|name| format!("{name} has a schedule, but no instance: ps-scale {app} {name}=1")).collect()
}

fn scheduled(release: &Release) -> impl Iterator<Item = &ProcessType> {
    let has_schedule = |process: &&Process| process.settings.schedule.is_some();
    release
        .processes
        .iter()
        .filter(|process| !process.is_task)
        .filter(has_schedule)
        .map(|process| &process.process_type)
}

/// Files in the directory that are not read although their names suggest it.
fn of_directory(source: &Source, app_json: &AppJson) -> Vec<String> {
    let Source::Directory(directory) = source else { return Vec::new() };
    let misnamed = [APP_JSON, DOKKU_SCALE].into_iter().filter_map(|name| {
        let found = nearby::mistaken_for(directory, name)?;
        Some(format!("{found} is not read: if it is meant, call it {name}"))
    });
    let checks = fs::metadata(directory.join(CHECKS)).is_ok_and(|file| file.is_file() && file.len() > 0);
    let checks = checks.then(|| match (app_json.has_checks_of_a_file(), app_json.checked_types().next()) {
        (true, _) => {
            format!(
                "{CHECKS} is old: its checks of {FIRST_TYPE} are made as healthchecks of {APP_JSON} would be"
            )
        }
        (false, Some(_)) => format!("{CHECKS} is not read: {APP_JSON} has healthchecks"),
        (false, None) => format!("{CHECKS} has no checks"),
    });
    let is_dangling = |name: &&str| {
        let path = directory.join(name);
        path.is_symlink() && !path.exists()
    };
    let dangling = [APP_JSON, DOKKU_SCALE].into_iter().filter(is_dangling);
    let dangling = dangling.map(|name| format!("{name} is not read: it is a link that leads nowhere"));
    misnamed.chain(checks).chain(dangling).collect()
}

/// Settings that are set and have no effect: in docker-local and on a swarm those that the scheduler ignores, natively those that need
/// an engine.
fn of_settings(release: &Release, is_on_swarm: bool) -> Vec<String> {
    let is_native = release.source.is_native();
    // Scheduled runs and the tasks of a deploy have a time limit; instances have none.
    let unheeded = |settings: &TypeSettings, ends: bool| -> Vec<&'static str> {
        let is_heeded = |setting: &Setting| {
            if is_native {
                return !setting.is_only_for_containers;
            }
            let is_for_it = if is_on_swarm { setting.is_for_swarm } else { setting.is_for_containers };
            is_for_it || setting.name.starts_with("schedule") || ends && setting.name == RUN_TIMEOUT
        };
        let all = Setting::all().iter().filter(|setting| !is_heeded(setting));
        all.filter(|setting| setting.text(settings).is_some()).map(|setting| setting.name).collect()
    };
    let of_all = unheeded(&release.others, true);
    let of_types = release.processes.iter().flat_map(|process| {
        let ends = process.settings.schedule.is_some() || process.process_type.is_release();
        let own = unheeded(&process.settings, ends).into_iter().filter(|name| !of_all.contains(name));
        own.map(|name| format!("{}.{name}", process.process_type)).collect::<Vec<_>>()
    });
    let of_all = of_all.iter().map(|name| (*name).to_owned());
    let why = match (is_native, is_on_swarm) {
        (true, _) => "has no effect natively: only a container can have it",
        (false, true) => "is not heeded on a swarm",
        (false, false) => "is not heeded in docker-local",
    };
    of_all.chain(of_types).map(|name| format!("{name} {why}")).collect()
}

/// Types that wait until another one is done, although nothing says that it is a job. If it is a service, they wait for ever.
fn of_order(release: &Release) -> Vec<String> {
    let order = release.order();
    let has_own_policy = |name: &ProcessType| release.settings(name).restart_policy.is_some();
    let in_vain = |wait: &&Wait| wait.milestone == Milestone::Done && !has_own_policy(&wait.process_type);
    let of_type = |process: &Process| {
        let name = process.process_type.clone();
        let waits = order.waits(&name).iter().filter(in_vain).map(|wait| wait.process_type.clone());
        waits.map(|other| (name.clone(), other)).collect::<Vec<_>>()
    };
    let all = release.processes.iter().flat_map(of_type);
    let policy = release.restart_policy;
    all.map(|(name, other)| {
        format!(
            "{name} starts only when {other} has ended by itself with success, and nothing says that {other} does that (it has the \
             restart-policy of the app, {policy}): say {other}:ready if it is a service, and set {other}.restart-policy to no if it is a job"
        )
    })
    .collect()
}

/// Properties that were set by a person or by Dokku, and have no effect here.
fn of_properties(world: &World, app: &AppName, release: &Release) -> Result<Vec<String>, Error> {
    let is_set = |name| Ok::<_, Error>(world.ps_property(app, name)?.is_some());
    let mut lines = Vec::new();
    if world.ps_property(app, "skip-deploy")?.as_deref() == Some("true") {
        lines.push(
            "skip-deploy has no effect here: it keeps Dokku from deploying what is pushed, and nothing is pushed here"
                .to_owned(),
        );
    }
    let is_native = matches!(release.source, Source::Directory(_));
    for (plugin, name, instead) in
        OF_PLUGINS.into_iter().filter(|(plugin, ..)| is_native || *plugin != CHECKS_PLUGIN)
    {
        if world.property(plugin, Scope::App(app), name)?.is_some_and(|value| !value.is_empty()) {
            lines.push(format!("{name} of Dokku's plugin {plugin} has no effect here: {instead}"));
        }
    }
    if is_native && is_set(DOCKERFILE_START_CMD)? {
        lines.push(format!(
            "{DOCKERFILE_START_CMD} has no effect here: it is for images, {START_CMD} is for all"
        ));
    }
    let has_web = !release.are_all_types
        || release.processes.iter().any(|process| process.process_type.as_str() == FIRST_TYPE);
    if !has_web && is_set(START_CMD)? {
        lines.push(format!(
            "{START_CMD} has no effect: it is for {FIRST_TYPE}, which the Procfile does not have"
        ));
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::Gate;

    fn release(source: Source, processes: Vec<Process>) -> Release {
        Release {
            app: "shop".parse().expect("a name"),
            source,
            are_all_types: false,
            processes,
            others: TypeSettings::default(),
            env: Vec::new(),
            restart_policy: formation::RestartPolicy::default(),
            stop_timeout: Duration::from_secs(1),
            gate: Gate::default(),
            listen: formation::Addresses::default(),
            frontend: balance::Frontend::default(),
        }
    }

    fn process(name: &str, settings: &[(&str, &str)]) -> Process {
        let mut process = Process::new(name.parse().expect("a type"), None);
        for (name, value) in settings {
            let setting = Setting::named(name).expect("a setting");
            assert!(setting.take(value, &mut process.settings), "{name}");
        }
        process
    }

    #[test]
    fn a_type_that_may_wait_for_ever_for_the_end_of_another_one_is_named() {
        let of = |after: &str, db: &[(&str, &str)]| {
            let processes = vec![process("web", &[("after", after)]), process("db", db)];
            of_order(&release(Source::Directory("/srv/shop".into()), processes))
        };
        let told = of("db:done", &[]);
        assert!(
            matches!(&told[..], [line] if line.starts_with("web starts only when db has ended")),
            "{told:?}"
        );
        assert_eq!(of("db:ready", &[]), [""; 0]);
        for policy in ["no", "on-failure:3"] {
            assert_eq!(of("db:done", &[("restart-policy", policy)]), [""; 0], "{policy}");
        }
    }

    #[test]
    fn what_is_set_and_has_no_effect_is_named_for_the_scheduler_that_the_app_has() {
        let of = |source: Source, is_on_swarm| {
            let settings = [("publish", "host"), ("port", "8080"), ("memory-max", "64m"), ("after", "db")];
            of_settings(&release(source, vec![process("web", &settings)]), is_on_swarm)
        };
        let image = || Source::Image("shop:1".to_owned());
        assert_eq!(of(image(), true), ["web.after is not heeded on a swarm"]);
        assert_eq!(
            of(image(), false),
            ["web.port is not heeded in docker-local", "web.publish is not heeded in docker-local"]
        );
        let native = of(Source::Directory("/srv/shop".into()), false);
        assert_eq!(native, ["web.publish has no effect natively: only a container can have it"]);
    }
}
