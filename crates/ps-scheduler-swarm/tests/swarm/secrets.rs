//! The environment as a secret of the swarm: every value arrives as it is, none of them is shown anywhere, and what the image runs is what runs.

use formation::Which;
use ps_scheduler::{Intent, Plan, Release, Running, Scheduler};
use serde_json::Value;
use swarm_cluster::{Cluster, IMAGE};
use type_settings::Switch;

use crate::place::Place;

/// A value in which each character that a shell heeds has to arrive.
const VALUE: &str = "hunter2 it's \"quoted\" $HOME `id` a=b\\\n  second line = 'x'\n";
/// What of it would be found wherever it stood.
const PART: &str = "hunter2";
/// Prints a variable in hexadecimal digits, and lives on.
const SHOWS: &str =
    "printf %s \"$KEY\" | od -An -v -tx1 | tr -d ' \\n'; echo \" $PORT $DYNO\"; exec sleep 1000";

fn release(place: &Place, command: Option<&str>, is_secret: &str) -> Release {
    let mut release = place.release(command.unwrap_or_default());
    release.processes[0].command = command.map(str::to_owned);
    release.env = [("KEY", VALUE), ("PORT", "1"), ("DYNO", "x.9")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec();
    let switch: Switch = is_secret.parse().expect("yes or no");
    (release.processes[0].settings.env_as_secrets, release.others.env_as_secrets) =
        (Some(switch), Some(switch));
    release
}

fn plan(place: &Place, release: Release, wanted: &str, intent: &Intent) -> Plan {
    place.plan(release, &[wanted], intent)
}

fn shown(slot: &str) -> String {
    let digits: Vec<String> = VALUE.bytes().map(|byte| format!("{byte:02x}")).collect();
    format!("{slot} {} 5000 {slot}", digits.concat())
}

fn secrets(place: &Place) -> Vec<String> {
    let list = place.engine.run(place.engine.secrets(&[])).expect("the manager answers");
    let names = list.as_array().expect("a list").iter().map(|secret| secret["Spec"]["Name"].clone());
    names.map(|name| name.as_str().expect("each has a name").to_owned()).collect()
}

/// Everything that the swarm and the engine say of what runs.
fn descriptions(cluster: &Cluster, place: &Place) -> String {
    let all = |list: &[&str], each: &str| -> String {
        let ids = cluster.docker(1, list);
        let ids: Vec<&str> = ids.lines().collect();
        if ids.is_empty() {
            String::new()
        } else {
            cluster.docker(1, &[&[each, "inspect"][..], &ids].concat())
        }
    };
    let commands: Vec<String> =
        place.containers().iter().map(|id| cluster.docker(1, &["top", id, "-eo", "pid,args"])).collect();
    let inspected = place.swarm.inspect(&place.app).expect("describes").to_string();
    [
        all(&["service", "ls", "-q"], "service"),
        all(&["secret", "ls", "-q"], "secret"),
        all(&["ps", "-aq"], "container"),
        commands.concat(),
        inspected,
        format!("{:?}", place.status()),
    ]
    .concat()
}

#[test]
fn each_value_arrives_as_it_is_and_stands_nowhere_through_restarts_and_scales_until_it_is_to() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    let of = |is_secret: &str| release(&place, Some(SHOWS), is_secret);
    let (deployed, told) = place.carry_out(&plan(&place, of("yes"), "web=1", &Intent::Deploy));
    deployed.expect("it comes up");
    assert!(!format!("{told:?}").contains("can read the environment"), "{told:?}");
    assert_eq!(place.log(Which::All), [shown("web.1")]);
    let first = secrets(&place);
    assert_eq!(first.len(), 1, "{first:?}");
    let is_hidden = |what: &str| {
        let all = descriptions(&cluster, &place);
        assert!(all.contains("formation-environment") && !all.contains(PART), "{what}: {all}");
    };
    is_hidden("deploy");
    assert!(!format!("{told:?}").contains(PART));

    place.carry_out(&plan(&place, of("yes"), "web=2", &Intent::Converge(Which::All))).0.expect("is scaled");
    place.carry_out(&plan(&place, of("yes"), "web=2", &Intent::Restart(Which::All))).0.expect("is restarted");
    assert_eq!(place.log(Which::All), [shown("web.1"), shown("web.2")]);
    assert_eq!(secrets(&place), first, "the same environment is the same secret");
    is_hidden("restart");

    let mut other = of("yes");
    other.env[0].1.push('2');
    place.carry_out(&plan(&place, other, "web=2", &Intent::Deploy)).0.expect("comes up with another value");
    let second = secrets(&place);
    assert!(second.len() == 1 && second != first, "{second:?}: the earlier secret is removed");
    let mut failing = of("yes");
    failing.env[0].1.push('3');
    failing.processes[0].command = Some("exit 3".to_owned());
    place.carry_out(&plan(&place, failing, "web=2", &Intent::Deploy)).0.expect_err("it ends at once");
    assert_eq!((secrets(&place), place.status().running()), (second, Running::True));

    place.carry_out(&plan(&place, of("no"), "web=2", &Intent::Deploy)).0.expect("is no secret any more");
    assert_eq!(place.log(Which::All), [shown("web.1"), shown("web.2")]);
    assert!(secrets(&place).is_empty() && descriptions(&cluster, &place).contains(PART));
    place.carry_out(&plan(&place, of("yes"), "web=1", &Intent::Deploy)).0.expect("is one again");
    place.stop("", true).expect("is removed");
    assert_eq!(secrets(&place), [""; 0]);
}

#[test]
fn an_image_runs_what_it_runs_by_itself_and_a_task_of_a_deploy_has_the_variables_too() {
    let Some(cluster) = Cluster::up(1) else { return };
    let entry = format!(
        "FROM {IMAGE}\nENTRYPOINT [\"sh\", \"-c\", \"echo \\\"$0 $1 ${{#KEY}}\\\"; exec sleep 1000\"]\nCMD [\"one\", \"two\"]\n"
    );
    cluster.image("formation-test/entry:1", &entry);
    let place = Place::new(&cluster);
    let mut of_image = release(&place, None, "yes");
    of_image.source = ps_scheduler::Source::Image("formation-test/entry:1".to_owned());
    place.carry_out(&plan(&place, of_image, "web=1", &Intent::Deploy)).0.expect("it comes up");
    assert_eq!(place.log(Which::All), [format!("web.1 one two {}", VALUE.len())]);

    let mut with_task = plan(&place, release(&place, Some(SHOWS), "yes"), "web=1", &Intent::Deploy);
    let migration = "test \"${#KEY}\" -gt 9 && echo migrated";
    with_task.tasks =
        vec![ps_scheduler::Task::new("release", migration, ps_scheduler::Effect::NothingChanges)];
    let (deployed, told) = place.carry_out(&with_task);
    deployed.expect("the task has its variables");
    assert!(format!("{told:?}").contains("\"migrated\"") && !format!("{told:?}").contains(PART), "{told:?}");
    assert_eq!(secrets(&place).len(), 1);
    place.stop("", true).expect("is removed");
}

#[test]
fn what_cannot_export_a_variable_is_refused_by_name_before_anything_is_changed() {
    let Some(cluster) = Cluster::up(1) else { return };
    cluster.image("formation-test/no-shell:1", &format!("FROM {IMAGE}\nRUN rm /bin/sh\n"));
    cluster.image("formation-test/loose-shell:1", &format!("FROM {IMAGE}\nRUN ln -sf /nowhere/sh /bin/sh\n"));
    cluster.image(
        "formation-test/linked-shell:1",
        &format!("FROM {IMAGE}\nRUN mkdir /usr && ln -s ../bin/busybox /usr/sh && ln -sf /usr/sh /bin/sh\n"),
    );
    cluster.image("formation-test/odd:1", &format!("FROM {IMAGE}\nENV discovery.type=single\n"));
    let place = Place::new(&cluster);
    let judged = |image: &str, change: &dyn Fn(&mut Release)| {
        let mut release = release(&place, None, "yes");
        release.source = ps_scheduler::Source::Image(image.to_owned());
        change(&mut release);
        place.swarm.judge(&plan(&place, release, "web=1", &Intent::Deploy)).map_err(|error| error.to_string())
    };
    let as_it_is = |_: &mut Release| ();
    let is_refused = |judged: Result<(), String>, why: &str| {
        let error = judged.expect_err(why);
        assert!(error.contains(why) && !error.contains(PART), "{error}");
    };
    is_refused(
        judged("formation-test/no-shell:1", &as_it_is),
        "its image formation-test/no-shell:1 has no /bin/sh",
    );
    is_refused(judged("formation-test/loose-shell:1", &as_it_is), "has no /bin/sh");
    is_refused(judged("formation-test/odd:1", &as_it_is), "has the variable discovery.type");
    is_refused(judged("formation-test/gone:1", &as_it_is), "docker pull formation-test/gone:1");
    is_refused(judged(IMAGE, &|release| release.env.push(("a.b".into(), PART.into()))), "the variable a.b");
    let large = |release: &mut Release| release.env.push(("LARGE".into(), "x".repeat(600_000)));
    is_refused(judged(IMAGE, &large), "takes 600");
    judged("formation-test/linked-shell:1", &as_it_is).expect("its shell is found through two links");
    judged(IMAGE, &as_it_is).expect("it has a shell");
    let unchecked = |release: &mut Release| {
        release.env.clear();
        release.processes[0].settings.checks = Some("skipped".parse().expect("a word"));
    };
    judged("formation-test/no-shell:1", &unchecked).expect("nothing is to be exported");
    assert_eq!(secrets(&place), [""; 0]);
    let left = cluster.docker(1, &["ps", "-aq", "--filter", "label=com.formation.reader"]);
    assert_eq!(left, "", "a container by which an image was looked at is left");
    let services = place.engine.run(place.engine.swarm_services(&[], false)).expect("a list");
    assert_eq!(services, Value::Array(Vec::new()));
}
