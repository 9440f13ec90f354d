//! The description of the container that the engine is asked to create, made from a release and a slot. Pure.

use std::path::Path;
use std::time::Duration;

use formation::{RestartPolicy, Slot};
use ps_engine::{ContainerCreateBody, HostConfig};
use ps_release::in_container;
use ps_scheduler::Release;

use crate::label::{self, Identity};
use crate::{engine_option, set_for_type};

/// The container that the engine is asked to create for a run. It has no restart policy: it gets one when its rollout is
/// committed. No ports are published on the host, so the two runs of a slot never need the same one.
pub(crate) fn container(
    root: &Path,
    release: &Release,
    image: &str,
    identity: &Identity,
) -> ContainerCreateBody {
    let slot = &identity.run.slot;
    let command = release.process(&slot.process_type).and_then(|process| process.command.as_deref());
    let settings = release.settings(&slot.process_type);
    let own_grace = settings.stop_timeout_seconds.map(|seconds| Duration::from_secs(seconds.unsigned()));
    let mut labels = label::labels(root, &release.app, identity);
    labels.extend(own_grace.map(|grace| (label::GRACE.to_owned(), grace.as_secs().to_string())));
    labels.extend(set_for_type::labels(settings));
    // Compose runs no init unless the file asks for one: some images bring their own, which must be the first process.
    let usual_init = release.source.service(&slot.process_type).is_none();
    let host_config = HostConfig {
        restart_policy: Some(ps_engine::restart_policy(RestartPolicy::No)),
        ..set_for_type::host_config(settings, usual_init)
    };
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: command.map(|command| words(release, slot, command)),
        env: Some(in_container::environment(release, slot)),
        labels: Some(labels),
        stop_signal: settings.stop_signal.map(|signal| signal.to_string()),
        stop_timeout: Some(i64::from(ps_engine::seconds(own_grace.unwrap_or(release.stop_timeout)))),
        host_config: Some(host_config),
        ..ContainerCreateBody::default()
    };
    match &settings.engine_options {
        Some(options) => engine_option::add(options, body),
        None => body,
    }
}

/// Why `slot` cannot be given its variables; `None` if it can.
pub(crate) fn refusal(release: &Release, slot: &Slot) -> Option<String> {
    let command = release.process(&slot.process_type)?.command.as_deref()?;
    in_container::refusal(release, &in_container::environment(release, slot), command, slot)
}

/// The command line, as words, with which a container runs a command.
pub(crate) fn words(release: &Release, slot: &Slot, command: &str) -> Vec<String> {
    in_container::words(release, &in_container::environment(release, slot), command)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ps_engine::Ulimit;
    use ps_rollout::{Lane, Run};
    use ps_scheduler::{Gate, Process, Source};
    use type_settings::TypeSettings;

    use super::*;

    fn release(command: Option<&str>) -> Release {
        Release {
            app: "shop".parse().expect("a legal name"),
            source: Source::Image("shop:1".into()),
            processes: vec![Process::new("web".parse().expect("legal"), command.map(str::to_owned))],
            are_all_types: false,
            others: TypeSettings::default(),
            env: vec![("A".into(), "1".into()), ("PORT".into(), "80".into())],
            restart_policy: RestartPolicy::OnFailure(Some(10)),
            stop_timeout: Duration::from_millis(1500),
            gate: Gate::default(),
            listen: formation::Addresses::default(),
            frontend: balance::Frontend::default(),
        }
    }

    fn identity(slot: &str) -> Identity {
        let run = Run { slot: slot.parse().expect("legal"), number: 17 };
        Identity { run, release: 3, lane: Lane::Second }
    }

    fn body(command: Option<&str>, slot: &str) -> ContainerCreateBody {
        container(Path::new("/r"), &release(command), "shop:1", &identity(slot))
    }

    #[test]
    fn a_simple_command_takes_the_shells_place_and_any_other_keeps_it() {
        let script = |command| body(Some(command), "web.1").cmd.expect("a command").remove(2);
        assert_eq!(script("httpd -f -p $PORT"), "exec httpd -f -p $PORT");
        for command in ["a && b", "a; b", "A=1 b", "cd x", "exec a", "(a)", "a >b", "if true"] {
            assert_eq!(script(command), command);
        }
    }

    #[test]
    fn a_name_that_a_shell_drops_meets_no_shell_or_is_refused() {
        let mut odd = release(Some("httpd -p $PORT -x '$A b'"));
        odd.env.push(("MY-KEY".into(), "1".into()));
        let slot: Slot = "web.1".parse().expect("legal");
        let words = container(Path::new("/r"), &odd, "shop:1", &identity("web.1")).cmd.expect("a command");
        assert_eq!(words, ["httpd", "-p", "5000", "-x", "$A b"]);
        assert_eq!(refusal(&odd, &slot), None);
        odd.processes[0].command = Some("a && b".into());
        let reason = refusal(&odd, &slot).expect("refused");
        assert!(reason.starts_with("the variable MY-KEY cannot reach web.1"), "{reason}");
        assert_eq!(refusal(&release(Some("a && b")), &slot), None);
        odd.processes[0].command = None;
        assert_eq!(refusal(&odd, &slot), None);
    }

    #[test]
    fn without_a_command_the_image_decides() {
        assert_eq!(body(None, "web.1").cmd, None);
        assert_eq!(body(Some("x"), "worker.1").cmd, None);
    }

    #[test]
    fn web_alone_is_given_a_port_and_ours_win() {
        let web = body(None, "web.2").env.expect("variables");
        assert_eq!(web, ["A=1", "PORT=5000", "DYNO=web.2"]);
        let worker = body(None, "worker.1").env.expect("variables");
        assert_eq!(worker, ["A=1", "PORT=80", "DYNO=worker.1"]);
    }

    #[test]
    fn a_grace_period_is_never_cut_short() {
        assert_eq!(body(None, "web.1").stop_timeout, Some(2));
    }

    #[test]
    fn what_is_set_for_a_type_or_for_all_types_becomes_a_part_of_the_container() {
        let mut release = release(None);
        for (name, value) in [
            ("limit-core", "0"),
            ("limit-nofile", "unlimited"),
            ("oom-score-adj", "-5"),
            ("stop-signal", "SIGQUIT"),
            ("stop-timeout-seconds", "70"),
            ("memory-max", "64m"),
            ("cpu-max", "1.5"),
            ("pids-max", "99"),
            ("no-new-privileges", "yes"),
            ("ulimits", "nofile=unlimited,nproc=5:9"),
            ("mounts", "/srv/a:/a:ro,data:/data"),
            ("extra-hosts", "db=10.0.0.7"),
            ("labels", "team=shop"),
            ("init", "no"),
            ("engine-options", "shm-size=1m"),
        ] {
            let setting = type_settings::Setting::named(name).expect("a setting");
            assert!(setting.is_for_containers && setting.take(value, &mut release.processes[0].settings));
        }
        release.others.oom_score_adj = Some("7".parse().expect("a number"));
        let of = |slot| container(Path::new("/r"), &release, "shop:1", &identity(slot));
        let (web, worker) = (of("web.1"), of("worker.1"));
        let host = |body: &ContainerCreateBody| body.host_config.clone().expect("it has one");
        let limit = |name: &str, most| Ulimit { name: Some(name.into()), soft: Some(most), hard: Some(most) };
        let nproc = Ulimit { name: Some("nproc".into()), soft: Some(5), hard: Some(9) };
        assert_eq!(host(&web).ulimits, Some(vec![limit("core", 0), limit("nofile", -1), nproc]));
        assert_eq!(host(&web).binds, Some(vec!["/srv/a:/a:ro".to_owned(), "data:/data".to_owned()]));
        assert_eq!(host(&web).extra_hosts, Some(vec!["db:10.0.0.7".to_owned()]));
        assert_eq!((host(&web).init, host(&worker).init), (Some(false), Some(true)));
        assert_eq!(host(&web).shm_size, Some(1 << 20));
        let set = web.labels.clone().expect("labels");
        assert_eq!(set.get("team").map(String::as_str), Some("shop"));
        let names = set.get(label::SET).expect("what was set").split(' ').collect::<Vec<_>>();
        assert!(
            ["memory-max", "label:team", "option:shm-size"].iter().all(|name| names.contains(name)),
            "{names:?}"
        );
        let most = (host(&web).memory, host(&web).nano_cpus, host(&web).pids_limit);
        assert_eq!(most, (Some(64 << 20), Some(1_500_000_000), Some(99)));
        assert_eq!(host(&web).security_opt, Some(vec!["no-new-privileges".to_owned()]));
        assert_eq!((host(&web).oom_score_adj, host(&worker).oom_score_adj), (Some(-5), Some(7)));
        assert_eq!((web.stop_signal.as_deref(), web.stop_timeout), (Some("SIGQUIT"), Some(70)));
        assert_eq!((&worker.stop_signal, worker.stop_timeout, host(&worker).ulimits), (&None, Some(2), None));
        assert_eq!(web.labels.expect("labels").get(label::GRACE).map(String::as_str), Some("70"));
        assert!(!worker.labels.expect("labels").contains_key(label::GRACE));
    }

    #[test]
    fn labels_name_app_type_instance_world_and_run() {
        let labels = body(None, "web.2").labels.expect("labels");
        for (name, value) in [
            (label::APP, "shop"),
            ("com.dokku.process-type", "web"),
            ("com.dokku.dyno", "web.2"),
            (label::ROOT, "/r"),
            ("com.formation.run", "17"),
            ("com.formation.release", "3"),
            ("com.formation.lane", "second"),
        ] {
            assert_eq!(labels.get(name).map(String::as_str), Some(value), "{name}");
        }
    }
}
