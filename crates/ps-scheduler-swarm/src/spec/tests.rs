use std::num::NonZeroU16;

use formation::RestartPolicy;
use ps_rollout::Strategy;
use ps_scheduler::{Gate, Process, Source};
use type_settings::Setting;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A release of the app `shop` with one type.
pub(crate) fn release(process_type: &str) -> Release {
    Release {
        app: "shop".parse().expect("a legal name"),
        source: Source::Image("shop:1".into()),
        processes: vec![Process::new(process_type.parse().expect("a type"), Some("serve -p $PORT".into()))],
        are_all_types: false,
        others: TypeSettings::default(),
        env: vec![("A".into(), "{{.Node.ID}} {{{".into())],
        restart_policy: RestartPolicy::OnFailure(Some(10)),
        stop_timeout: 30 * SECOND,
        gate: Gate::default(),
        listen: formation::Addresses::default(),
        frontend: balance::Frontend::default(),
    }
}

/// The rules that its plan has.
pub(crate) fn rules() -> Rules {
    Rules {
        strategy: Strategy::Overlap,
        max_parallel: NonZeroU16::new(2).expect("not 0"),
        max_trials: None,
        is_checked: false,
        may_end: false,
        minimum_life: 10 * SECOND,
        deadline: 30 * SECOND,
    }
}

fn identity() -> Identity<'static> {
    Identity { world: "w", deploy: "d", revision: "r", release: 3 }
}

fn spec(release: &Release) -> Value {
    let process_type = &release.processes[0].process_type;
    let proof = Proof::of(release, process_type, &rules());
    service(release, process_type, 2, identity(), &proof)
}

pub(crate) fn set(release: &mut Release, name: &str, value: &str) {
    let setting = Setting::named(name).expect("a setting");
    assert!(setting.take(value, &mut release.processes[0].settings), "{name} {value}");
}

#[test]
fn a_service_says_whose_it_is_and_its_tasks_which_revision_they_are_of() {
    let spec = spec(&release("web"));
    assert_eq!(
        spec["Labels"],
        json!({
            label::WORLD: "w", label::APP: "shop", label::PROCESS_TYPE: "web", label::RELEASE: "3", label::DEPLOY: "d",
        })
    );
    let container = &spec["TaskTemplate"]["ContainerSpec"];
    assert_eq!(container["Labels"][label::REVISION], "r");
    assert_eq!(spec["Mode"]["Replicated"]["Replicas"], 2);
    assert_eq!(spec["EndpointSpec"]["Mode"], "dnsrr");
    assert_eq!(container["StopGracePeriod"], 30_000_000_000_u64);
}

#[test]
fn a_container_is_given_what_docker_local_gives_it_and_no_value_is_taken_for_a_template() {
    let web = spec(&release("web"));
    let container = &web["TaskTemplate"]["ContainerSpec"];
    assert_eq!(container["Args"], json!(["/bin/sh", "-c", "exec serve -p $PORT"]));
    assert_eq!(
        container["Env"],
        json!([r#"A={{"{{"}}.Node.ID}} {{"{{"}}{"#, "PORT=5000", "DYNO=web.{{.Task.Slot}}"])
    );
    let worker = spec(&release("worker"));
    let names: Vec<String> = worker["TaskTemplate"]["ContainerSpec"]["Env"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|pair| pair.as_str().and_then(|pair| pair.split('=').next()).unwrap_or_default().to_owned())
        .collect();
    assert_eq!(names, ["A", "DYNO"]);
}

#[test]
fn a_lost_node_costs_no_more_than_a_second_and_each_policy_has_its_word() {
    let of = |policy: RestartPolicy| {
        let policy = restart_policy(policy);
        (policy["Condition"].as_str().unwrap_or_default().to_owned(), policy["MaxAttempts"].as_u64())
    };
    assert_eq!(of(RestartPolicy::No), ("none".to_owned(), Some(0)));
    assert_eq!(of(RestartPolicy::OnFailure(Some(10))), ("on-failure".to_owned(), Some(10)));
    assert_eq!(of(RestartPolicy::OnFailure(None)), ("on-failure".to_owned(), Some(0)));
    assert_eq!(of(RestartPolicy::UnlessStopped), ("any".to_owned(), Some(0)));
    assert_eq!(restart_policy(RestartPolicy::No)["Delay"], json!(nanos(SECOND)));
}

#[test]
fn what_is_set_for_a_type_becomes_a_part_of_its_service() {
    let mut release = release("web");
    for (name, value) in [
        ("memory-max", "64m"),
        ("cpu-max", "1.5"),
        ("pids-max", "99"),
        ("mounts", "/srv/a:/a:ro,data:/data"),
        ("extra-hosts", "db=10.0.0.7"),
        ("labels", "team=shop"),
        ("networks", "back"),
        ("init", "no"),
        ("publish", "host"),
        ("port", "8080"),
        ("constraints", "node.role==worker"),
        ("limit-nofile", "1024"),
        ("stop-signal", "SIGQUIT"),
        ("stop-timeout-seconds", "70"),
        ("engine-options", "user=app,read-only=yes,cap-add=NET_ADMIN,memory-reservation=32m"),
    ] {
        set(&mut release, name, value);
    }
    assert_eq!(refusal(&release, &release.processes[0].process_type), None);
    let spec = spec(&release);
    assert_eq!(spec["EndpointSpec"]["Ports"][0]["PublishedPort"], 8080);
    let template = spec["TaskTemplate"].clone();
    let container = &template["ContainerSpec"];
    assert_eq!(template["Placement"], json!({"Constraints": ["node.role==worker"]}));
    let task = of_task(&release, &Task::new("web", "true", ps_scheduler::Effect::NothingChanges), "w");
    assert_eq!(task["TaskTemplate"]["Placement"], template["Placement"]);
    assert_eq!(task["EndpointSpec"], json!({"Mode": "dnsrr"}), "nobody asks a task");
    assert_eq!(
        template["Resources"],
        json!({
            "Limits": {"NanoCPUs": 1_500_000_000, "MemoryBytes": 64 << 20, "Pids": 99},
            "Reservations": {"MemoryBytes": 32 << 20},
        })
    );
    assert_eq!(
        container["Mounts"],
        json!([
            {"Type": "bind", "Source": "/srv/a", "Target": "/a", "ReadOnly": true},
            {"Type": "volume", "Source": "data", "Target": "/data", "ReadOnly": false},
        ])
    );
    assert_eq!(container["Hosts"], json!(["10.0.0.7 db"]));
    assert_eq!(container["Labels"]["team"], "shop");
    assert_eq!(container["Ulimits"], json!([{"Name": "nofile", "Soft": 1024, "Hard": 1024}]));
    assert_eq!(template["Networks"], json!([{"Target": "back", "Aliases": ["shop.web"]}]));
    assert_eq!(
        (container["Init"].clone(), container["StopSignal"].clone()),
        (json!(false), json!("SIGQUIT"))
    );
    assert_eq!(container["StopGracePeriod"], json!(nanos(70 * SECOND)));
    assert_eq!((container["User"].clone(), container["ReadOnly"].clone()), (json!("app"), json!(true)));
    assert_eq!(container["CapabilityAdd"], json!(["NET_ADMIN"]));
}

#[test]
fn what_a_swarm_does_not_have_is_refused_by_name() {
    for (name, value, says) in [
        ("oom-score-adj", "5", "web.oom-score-adj is set"),
        ("no-new-privileges", "yes", "web.no-new-privileges is set"),
        ("engine-options", "device=/dev/null", "does not have device"),
        ("schedule", "0 3 * * *", "runs by a schedule"),
    ] {
        let mut release = release("web");
        set(&mut release, name, value);
        let reason = refusal(&release, &release.processes[0].process_type).unwrap_or_default();
        assert!(reason.contains(says), "{name}: {reason:?}");
    }
    let mut odd = release("web");
    odd.env.push(("MY-KEY".into(), "1".into()));
    odd.processes[0].command = Some("a && b".into());
    let reason = refusal(&odd, &odd.processes[0].process_type).unwrap_or_default();
    assert!(reason.starts_with("the variable MY-KEY cannot reach web"), "{reason}");
}
