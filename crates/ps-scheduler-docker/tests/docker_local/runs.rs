//! Which run a container is, by its labels, and how containers and files are handled whose labels or content are missing
//! or unknown.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use formation::{RestartPolicy, State, Which};
use ps_rollout::{Lane, Role, Strategy};
use ps_scheduler::{Error, Intent, Progress, Running, Scheduler};

use crate::place::{IMAGE, Place, SERVER, docker, shop};

fn only(place: &Place) -> (Option<u64>, Option<u64>, Option<Lane>, Option<Role>) {
    let status = place.status();
    let [one] = status.instances.as_slice() else { panic!("one instance: {status:?}") };
    (one.run, one.release, one.lane, one.role)
}

#[test]
fn each_run_has_a_number_of_its_own_a_release_and_the_lane_that_was_free() {
    let place = Place::new();
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    let current = Some(Role::Current);
    assert_eq!(only(&place), (Some(1), Some(1), Some(Lane::Own), current));
    place.deploy(&["web=1"], SERVER, &Intent::Restart(Which::All)).expect("restarts");
    assert_eq!(only(&place), (Some(2), Some(1), Some(Lane::Second), current), "the same release");
    place.deploy(&["web=1"], "exit 1", &Intent::Deploy).expect_err("it does not come up");
    assert_eq!(only(&place), (Some(2), Some(1), Some(Lane::Second), current), "as before");
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    assert_eq!(only(&place), (Some(4), Some(2), Some(Lane::Own), current), "3 is never used again");
}

#[test]
fn while_a_rollout_is_under_way_status_has_both_and_nobody_else_changes_the_app() {
    let place = Place::new();
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    let mut rows = Vec::new();
    let mut refusal = None;
    let mut say = |progress| {
        if matches!(progress, Progress::Ready(_)) {
            rows = place.status().instances;
            refusal = place.stop(Which::All, false).err();
        }
    };
    place.deploy_image(IMAGE, &["web=1"], Some(SERVER), &Intent::Deploy, &mut say).expect("deploys");
    let roles: Vec<_> = rows.iter().map(|row| (row.run, row.role, row.state)).collect();
    let up = State::Running;
    assert_eq!(roles, [(Some(1), Some(Role::Current), up), (Some(2), Some(Role::Incoming), up)]);
    let refusal = refusal.expect("a stop beside a deploy is refused").to_string();
    assert!(refusal.contains("a deploy of it is under way"), "{refusal}");
    assert_eq!(only(&place).0, Some(2));
}

/// A container as Dokku makes one, recorded as `web.1`.
fn made_by_dokku(place: &Place, labels: &[&str]) -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    let nth = MADE.fetch_add(1, Ordering::Relaxed);
    let name = format!("--name=shop.web.1.dokku-{}-{nth}", std::process::id());
    let dokkus = ["com.dokku.app-name=shop", "com.dokku.container-type=deploy", "com.dokku.dyno=web.1"];
    let labels = dokkus.iter().chain(labels).map(|label| format!("--label={label}"));
    let labels: Vec<String> = labels.collect();
    let mut words = vec!["run", "-d", "--init", "--restart=on-failure:3", &name];
    words.extend(labels.iter().map(String::as_str));
    words.extend([IMAGE, "sleep", "1000"]);
    let id = docker(&words);
    fs::write(place.app_dir().join("CONTAINER.web.1"), &id).expect("a record");
    id
}

#[test]
fn a_container_without_our_labels_is_run_0_and_is_replaced_like_any_other() {
    let place = Place::new();
    let id = made_by_dokku(&place, &[]);
    assert_eq!(only(&place), (Some(0), None, Some(Lane::Own), Some(Role::Current)));
    place.deploy(&["web=1"], "exit 1", &Intent::Deploy).expect_err("it does not come up");
    assert_eq!((place.ids(), place.status().running()), (vec![id.clone()], Running::True));
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    assert_eq!(only(&place).0, Some(2));
    let left = docker(&["ps", "-aq", "--no-trunc", "--filter", &format!("id={id}")]);
    assert_eq!(left, "", "the old container is left");
}

#[test]
fn a_label_of_a_later_version_is_unknown_and_keeps_nobody_from_a_deploy() {
    let place = Place::new();
    let id = made_by_dokku(&place, &["com.formation.run=blue/17", "com.formation.lane=third"]);
    assert_eq!(only(&place), (None, None, Some(Lane::Own), Some(Role::Current)));
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    assert!(!place.ids().contains(&id) && place.status().running() == Running::True);
}

#[test]
fn a_file_of_a_later_version_is_said_and_is_no_error() {
    let place = Place::new();
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    let later = r#"{"format":2,"rollout":"of another kind"}"#;
    fs::write(place.rollout_file(), later).expect("the file is there");
    assert_eq!(only(&place).0, Some(1));
    let mut notes = Vec::new();
    let mut say = |progress| {
        if let Progress::Note(note) = progress {
            notes.push(note);
        }
    };
    place.deploy_image(IMAGE, &["web=1"], Some(SERVER), &Intent::Deploy, &mut say).expect("deploys");
    assert!(notes.iter().any(|note| note.contains("format 2")), "{notes:?}");
    assert_eq!(only(&place).0, Some(2), "the labels say which numbers were taken");
    assert_eq!(place.status().instances[0].release, Some(2), "and which release the app has");
}

#[test]
fn a_rollout_that_cannot_be_written_down_touches_nothing_and_a_stop_needs_no_file() {
    let place = Place::new();
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    let before = (place.ids(), place.names());
    let directory = place.rollout_file().parent().expect("its directory").to_owned();
    fs::remove_dir_all(&directory).expect("removed");
    fs::write(&directory, "in the way").expect("a file in the place of the directory");
    let error = place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect_err("nowhere to write");
    assert!(matches!(error, Error::Backend { .. }) && error.to_string().contains("write down"), "{error}");
    assert_eq!((place.ids(), place.names()), before);
    assert_eq!(place.stop(Which::All, true).expect("stops").ended.len(), 1);
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn what_is_put_back_after_stop_first_is_as_it_was_its_restart_policy_and_image_too() {
    let mut place = Place::new();
    place.strategy = Some(Strategy::StopFirst);
    place.policy = RestartPolicy::UnlessStopped;
    place.deploy(&["web=1"], SERVER, &Intent::Deploy).expect("deploys");
    let described = |place: &Place| {
        let of = place.docker.inspect(&shop()).expect("inspects").get(0).cloned().expect("one");
        let sorted = |list: &serde_json::Value| {
            let mut list = list.as_array().cloned().unwrap_or_default();
            list.sort_by_key(ToString::to_string);
            list
        };
        let config = &of["Config"];
        let host = &of["HostConfig"];
        let policy = host["RestartPolicy"]["Name"].clone();
        (of["Image"].clone(), config["Cmd"].clone(), sorted(&config["Env"]), host["Init"].clone(), policy)
    };
    let (before, id) = (described(&place), place.ids());
    place.policy = RestartPolicy::No;
    let error = place.deploy(&["web=1"], "exit 1", &Intent::Deploy).expect_err("it does not come up");
    let Error::DeployFailed { aftermath, .. } = &error else { panic!("{error}") };
    assert!(aftermath.iter().any(|line| line.contains("web.1")), "the outage is said: {error}");
    assert_ne!(place.ids(), id, "the earlier one was stopped first");
    assert_eq!(described(&place), before);
    assert_eq!((place.status().running(), place.names().len()), (Running::True, 1));
    let web = place.status().instances.remove(0);
    let address = web.address.expect("an address");
    std::net::TcpStream::connect(&address).expect("somebody listens where the record says");
}
