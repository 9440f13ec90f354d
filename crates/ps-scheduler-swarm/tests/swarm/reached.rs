//! Where instances are reached from outside, and on which nodes they run.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use formation::State;
use ps_rollout::Strategy;
use ps_scheduler::{Cancel, Intent, Plan, Progress, Release, Requester, Scheduler};
use swarm_cluster::Cluster;
use type_settings::Setting;

use crate::losses::eventually;
use crate::place::Place;

/// Answers with its slot.
const SERVER: &str = "mkdir -p /tmp/www; echo $DYNO >/tmp/www/index.html; exec httpd -f -p $PORT -h /tmp/www";

fn release(place: &Place, command: &str, settings: &[(&str, &str)]) -> Release {
    let mut release = place.release(command);
    for (name, value) in settings {
        let setting = Setting::named(name).expect("a setting");
        assert!(setting.take(value, &mut release.processes[0].settings), "{name} {value}");
    }
    release
}

fn plan(place: &Place, settings: &[(&str, &str)], wanted: &str) -> Plan {
    place.plan(release(place, SERVER, settings), &[wanted], &Intent::Deploy)
}

fn refused(place: &Place, settings: &[(&str, &str)], wanted: &str) -> String {
    place.carry_out(&plan(place, settings, wanted)).0.expect_err("it cannot be so").to_string()
}

fn asked(address: &str) -> io::Result<String> {
    let address: SocketAddr = address.parse().map_err(io::Error::other)?;
    let patience = Duration::from_secs(10);
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.lines().last().unwrap_or_default().to_owned())
}

/// Where each instance is reached, by its own word, in the order of the slots.
fn addresses(place: &Place) -> Vec<String> {
    let rows = place.status().instances.into_iter();
    rows.map(|row| row.address.unwrap_or_else(|| panic!("{} has no address", row.slot))).collect()
}

fn each_answers_with_its_slot(cluster: &Cluster, place: &Place) {
    let rows = place.status().instances;
    for (row, address) in rows.iter().zip(addresses(place)) {
        let answer = cluster.inside(|| asked(&address));
        assert_eq!(answer.ok(), Some(row.slot.to_string()), "at {address}");
    }
}

#[test]
fn what_is_published_on_its_node_is_reached_there_and_each_node_has_one_of_it() {
    let Some(cluster) = Cluster::up(2) else { return };
    let place = Place::new(&cluster);
    let fixed = [("publish", "host"), ("port", "8080")];
    let first = plan(&place, &fixed, "web=2");
    assert_eq!(first.rules["web"].strategy, Strategy::OneByOne);
    place.carry_out(&first).0.expect("each node has room for one");
    let mut reached = addresses(&place);
    reached.sort();
    assert_eq!(reached, [1, 2].map(|node| format!("{}:8080", cluster.address(node))));
    each_answers_with_its_slot(&cluster, &place);

    // No node is free, so each has to end before its successor starts.
    let before = place.containers();
    let again = plan(&place, &fixed, "web=2");
    let rows = again.foreseen(&place.status());
    assert_eq!(
        rows[0].reason, "new release; starts when an earlier instance has left port 8080 of its node",
        "{rows:?}"
    );
    place.carry_out(&again).0.expect("is replaced one by one");
    assert!(place.containers().iter().all(|id| !before.contains(id)));
    each_answers_with_its_slot(&cluster, &place);

    let many = refused(&place, &fixed, "web=3");
    assert!(many.contains("3 are wanted, and 2 nodes can have one"), "{many}");
    // A swarm would go on with the port that it has.
    let kept = refused(&place, &[("publish", "host")], "web=3");
    assert!(
        kept.contains("web has port 8080 of its nodes") && kept.contains("shop web.publish none"),
        "{kept}"
    );
    place.carry_out(&plan(&place, &[], "web=2")).0.expect("is not reached from outside any more");
    assert!(place.status().instances.iter().all(|row| row.address.is_none()));
    // With ports of their own there may be any number, and the new ones are there before the old ones end.
    let chosen = plan(&place, &[("publish", "host")], "web=3");
    assert_eq!(chosen.rules["web"].strategy, Strategy::Overlap);
    place.carry_out(&chosen).0.expect("each has a port of its own");
    each_answers_with_its_slot(&cluster, &place);
    place.stop("", true).expect("is removed");
}

#[test]
fn a_bad_release_with_a_fixed_port_leaves_the_earlier_one_serving() {
    let Some(cluster) = Cluster::up(2) else { return };
    let place = Place::new(&cluster);
    let fixed = [("publish", "host"), ("port", "8080")];
    place.carry_out(&plan(&place, &fixed, "web=2")).0.expect("it comes up");
    let before = place.containers();
    let bad = place.plan(release(&place, "exit 3", &fixed), &["web=2"], &Intent::Deploy);
    let error = place.carry_out(&bad).0.expect_err("it ends at once").to_string();
    assert!(error.contains("exit status 3"), "{error}");
    each_answers_with_its_slot(&cluster, &place);
    let after = place.containers();
    assert!(
        before.iter().any(|id| after.contains(id)),
        "one at a time was touched: {before:?}, then {after:?}"
    );
    place.stop("", true).expect("is removed");
}

/// The containers of the app on a node.
fn on(cluster: &Cluster, node: u8) -> String {
    cluster.docker(node, &["ps", "--quiet", "--no-trunc", "--filter", "label=com.dokku.app-name=shop"])
}

#[test]
fn a_deploy_right_after_a_cable_is_plugged_in_waits_for_what_still_has_the_port_of_that_node() {
    let Some(cluster) = Cluster::up_to_lose_nodes(3) else { return };
    let place = Place::new(&cluster);
    let fixed = [("publish", "host"), ("port", "8080"), ("constraints", "node.hostname!=node1")];
    // It has the port for its whole grace period.
    let stays = "trap '' TERM; mkdir -p /tmp/www; exec httpd -f -p $PORT -h /tmp/www";
    let deploy = || place.plan(release(&place, stays, &fixed), &["web=1"], &Intent::Deploy);
    place.carry_out(&deploy()).0.expect("it comes up");
    let node = |row: &ps_scheduler::Instance| row.node.clone().expect("it is on a node");
    let there = node(&place.status().instances[0]);
    let cut: u8 = there.trim_start_matches("node").parse().expect("a number");
    cluster.cut(cut);
    eventually(
        "another node has it",
        || place.status().instances,
        |rows| rows.iter().any(|row| row.state == State::Running && node(row) != there),
    );
    cluster.mend(cut);
    // From now on the swarm ends it.
    eventually(
        "the node is there again",
        || place.rows(),
        |rows| rows.iter().any(|row| row == "web.1 stopping"),
    );
    let plan = deploy();
    let mut left = Vec::new();
    let mut tell = |progress| {
        if let Progress::Started(slot) = progress {
            left.push((slot, on(&cluster, cut)));
        }
    };
    let cancel = Cancel::default();
    let mut requester = Requester { tell: &mut tell, cancel: &cancel, lock: None };
    place.swarm.deploy(&plan, &mut requester).expect("the port is free by then");
    let new = &place.containers()[0];
    let is_new = |id: &str| id.is_empty() || id == new;
    assert!(!left.is_empty() && left.iter().all(|(_, ids)| ids.lines().all(is_new)), "{left:?}, {new}");
    place.stop("", true).expect("is removed");
}

#[test]
fn a_port_that_somebody_else_has_and_a_place_that_is_none_are_one_line() {
    let Some(cluster) = Cluster::up(2) else { return };
    let (place, other) = (Place::new(&cluster), Place::for_app("other", &cluster.socket(1)));
    let everywhere = [("publish", "ingress"), ("port", "8080")];
    other.carry_out(&plan(&other, &everywhere, "web=1")).0.expect("the port is free");
    let taken = refused(&place, &everywhere, "web=1");
    assert!(taken.contains("port '8080' is already in use by service 'other_web'"), "{taken}");
    assert_eq!(place.rows(), Vec::<String>::new());
    // From one way of being reached to another, by an ordinary deploy.
    other.carry_out(&plan(&other, &[("publish", "host"), ("port", "8080")], "web=2")).0.expect("is changed");
    let host = [("publish", "host"), ("port", "8080")];
    let taken = refused(&place, &host, "web=1");
    let whose = "port 8080 of 2 of the 2 nodes that may run web is that of the service other_web";
    assert!(taken.contains(whose), "{taken}");
    // With a node each, the next instance of either finds no place, and status says why.
    other.carry_out(&plan(&other, &host, "web=1")).0.expect("one of its instances ends");
    place.carry_out(&plan(&place, &host, "web=1")).0.expect("a node is free");
    cluster.docker(1, &["service", "scale", "--detach", "shop_web=2"]);
    let is_named = |row: &ps_scheduler::Instance| {
        row.note.as_ref().is_some_and(|note| note.contains("port 8080 is that of the service other_web"))
    };
    let rows = || place.status().instances;
    eventually("status says whose the port is", rows, |rows| rows.iter().any(is_named));
    cluster.docker(1, &["service", "scale", "--detach", "shop_web=1"]);

    let nowhere = refused(&place, &[("constraints", "node.labels.disk==ssd")], "web=1");
    assert!(nowhere.contains("web.constraints has node.labels.disk==ssd, and of the 2 nodes"), "{nowhere}");
    cluster.docker(1, &["node", "update", "--label-add", "disk=ssd", "node2"]);
    let (ssd, spread) = (("constraints", "node.labels.disk==ssd"), ("spread", "node.labels.disk"));
    place.carry_out(&plan(&place, &[ssd, spread], "web=2")).0.expect("there is such a node now");
    let nodes: Vec<Option<String>> = place.status().instances.into_iter().map(|row| row.node).collect();
    assert_eq!(nodes, [Some("node2".to_owned()), Some("node2".to_owned())]);
    for place in [place, other] {
        place.stop("", true).expect("is removed");
    }
}

#[test]
fn a_type_without_port_is_reached_at_its_own() {
    let Some(cluster) = Cluster::up(1) else { return };
    let place = Place::new(&cluster);
    let mut metrics = place.release("echo metrics.1 >/tmp/index.html; exec httpd -f -p 9100 -h /tmp");
    metrics.processes[0].process_type = "metrics".parse().expect("a type");
    for (name, value) in [("publish", "host"), ("port", "9100")] {
        let setting = Setting::named(name).expect("a setting");
        assert!(setting.take(value, &mut metrics.processes[0].settings), "{name}");
    }
    place.carry_out(&place.plan(metrics, &["metrics=1"], &Intent::Deploy)).0.expect("it comes up");
    each_answers_with_its_slot(&cluster, &place);
    place.stop("", true).expect("is removed");
}

#[test]
fn a_node_that_is_renamed_has_its_new_name_and_a_constraint_of_the_earlier_one_is_refused_with_the_names_that_there_are()
 {
    let Some(cluster) = Cluster::up(2) else { return };
    let place = Place::new(&cluster);
    let on = |name: &str| plan(&place, &[("constraints", &format!("node.hostname=={name}"))], "web=1");
    place.carry_out(&on("node2")).0.expect("it comes up");
    let nodes = || place.status().instances.into_iter().map(|row| row.node).collect::<Vec<_>>();
    assert_eq!(nodes(), [Some("node2".to_owned())]);
    cluster.rename(2, "other");
    let listed = || cluster.docker(1, &["node", "ls", "--format", "{{.Hostname}}"]);
    eventually("the managers know it", listed, |names| names.contains("other"));
    // A swarm ends what is not to be there any more, and says why its successor waits.
    let waits = || {
        let row = place.status().instances.into_iter().find(|row| row.state == State::Waiting)?;
        row.note
    };
    let said = eventually("it waits for a place", waits, Option::is_some).unwrap_or_default();
    assert!(said.contains("scheduling constraints not satisfied"), "{said}");
    let refused = place.carry_out(&on("node2")).0.expect_err("no node is called so").to_string();
    assert!(refused.ends_with("none is so: they are called node1, other"), "{refused}");
    place.carry_out(&on("other")).0.expect("it comes up");
    assert_eq!(nodes(), [Some("other".to_owned())]);

    // Two machines of one name are told from each other.
    cluster.rename(1, "other");
    eventually("the managers know it", listed, |names| !names.contains("node1"));
    let named = nodes();
    let is_it = |node: &Option<String>| node.as_ref().is_some_and(|node| node.starts_with("other ("));
    assert!(named.len() == 1 && named.iter().all(is_it), "{named:?}");
    place.stop("", true).expect("is removed");
}
