//! What was put back after a release that failed, and does not run any more either: that is said, and each verb after it still ends as it was asked.

use formation::{State, Which};
use ps_rollout::Strategy;
use ps_scheduler::{Error, Intent, Plan};
use swarm_cluster::{Cluster, IMAGE};
use type_settings::Setting;

use crate::place::Place;

/// A release whose instances end at once when a file is not there, which all of them see.
const NEEDS_IT: &str = "test -e /all/ok || { echo it is gone; exit 3; }; exec sleep 1000";

fn plan(place: &Place, command: &str, intent: &Intent) -> Plan {
    let mut release = place.release(command);
    let mounts = Setting::named("mounts").expect("a setting");
    assert!(mounts.take("of-all:/all", &mut release.processes[0].settings));
    let mut plan = place.plan(release, &["web=2"], intent);
    for rules in plan.rules.values_mut() {
        (rules.strategy, rules.deadline) = (Strategy::StopFirst, std::time::Duration::from_secs(5));
    }
    plan
}

fn refused(place: &Place, command: &str) -> Vec<String> {
    match place.carry_out(&plan(place, command, &Intent::Deploy)).0 {
        Err(Error::DeployFailed { failed, aftermath, .. }) => {
            assert!(failed[0].reason.contains("exit status 4"), "{failed:?}");
            aftermath
        }
        other => panic!("it ends with status 4: {other:?}"),
    }
}

fn running(place: &Place) -> usize {
    place.status().instances.iter().filter(|row| row.state == State::Running).count()
}

#[test]
fn when_what_is_put_back_fails_too_it_is_said_each_time_and_a_good_release_or_the_cause_mended_makes_it_right()
 {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    let on_all = |words: &str| {
        cluster.docker(1, &["run", "--rm", "--volume", "of-all:/all", IMAGE, "sh", "-c", words]);
    };
    on_all("touch /all/ok");
    let deploys = |command: &str| {
        let deployed = place.carry_out(&plan(&place, command, &Intent::Deploy));
        deployed.0.unwrap_or_else(|error| panic!("{command}: {error}\n{:?}", deployed.1));
        assert_eq!(running(&place), 2, "{command}");
    };
    deploys("exec sleep 1001");
    deploys(NEEDS_IT);
    on_all("rm /all/ok");
    for round in 1..=2 {
        let said = refused(&place, "exit 4").join("; ");
        assert!(said.contains("0 of 2 instances of web of shop run the earlier release"), "{round}: {said}");
        assert_eq!(running(&place), 0, "{round}");
    }
    on_all("touch /all/ok");
    let again = place.carry_out(&plan(&place, NEEDS_IT, &Intent::Restart(Which::All)));
    again.0.unwrap_or_else(|error| panic!("the cause is mended: {error}\n{:?}", again.1));
    assert_eq!(running(&place), 2);
    on_all("rm /all/ok");
    // What a rollback asks of a scheduler.
    deploys("exec sleep 1001");
    place.stop("", true).expect("is removed");
}
