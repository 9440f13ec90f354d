//! An app on a swarm at one address of this machine, while nodes are lost and clients ask.

use std::io::{self, Write};
use std::time::Instant;

use swarm_cluster::{Cluster, IMAGE};

use crate::asking::{CLIENTS, Clients};
use crate::home::{Home, eventually};
use crate::swarm_address::{NOTHING, Shop};

/// So many clients of the kind that comes in threes.
const SETS: usize = 4;

/// The manager that leads the others.
fn leader(cluster: &Cluster) -> u8 {
    let nodes = cluster.docker(1, &["node", "ls", "--format", "{{.Hostname}} {{.ManagerStatus}}"]);
    let leader = nodes.lines().find_map(|line| line.strip_prefix("node")?.strip_suffix(" Leader"));
    leader.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("nobody leads: {nodes}"))
}

/// How a node is lost.
const POWER: &str = "a node loses power";
const CABLE: &str = "the leader is cut off";
/// How often a round is tried anew in which the swarm has given up nodes that live.
const TRIES: usize = 5;

/// A node is lost while clients ask, and no request fails beside those under way. `false`: meanwhile the swarm has ended instances on nodes that
/// live, as it does if a machine is so busy that these do not report in time. Clients whose requests such an instance has fail, too, and nothing is
/// proved.
fn loses(shop: &Shop<'_>, what: &str, node: u8, count: usize) -> bool {
    // What a swarm starts it spreads evenly, so each node has some of it.
    shop.does(&["ps-scale", "shop", &format!("web={count}")]);
    let address = format!("\"{}:", shop.cluster.address(node));
    let others: Vec<u8> = (1..=3).filter(|other| *other != node).collect();
    let led_to = |what: &str, is_so: &dyn Fn(&str) -> bool| {
        eventually(what, || {
            let led = shop.led();
            let backends = led.split("\"leaving\"").next().unwrap_or_default();
            if backends.matches("\"id\"").count() == count && is_so(backends) { Ok(()) } else { Err(led) }
        });
    };
    if shop.tasks(&[node]).is_empty() {
        // After an earlier round it has none any more.
        shop.does(&["ps-lifecycle", "restart", "shop"]);
    }
    if shop.tasks(&[node]).is_empty() {
        return false;
    }
    led_to("it has an instance", &|backends| backends.contains(&address));
    let kept = shop.tasks(&others);
    // One that waits for what is lost asks nothing else meanwhile, so there are some.
    let clients: Vec<Clients> = (0..SETS).map(|_| Clients::of(shop.address)).collect();
    for clients in &clients {
        clients.go_on(20);
    }
    let begin = Instant::now();
    if what == CABLE {
        shop.cluster.cut(node);
    } else {
        shop.cluster.lose(node);
    }
    led_to("clients are led to others", &|backends| !backends.contains(&address));
    let took = begin.elapsed().as_secs_f64();
    clients[0].go_on(50);
    let failed: Vec<String> = clients.into_iter().flat_map(Clients::end).collect();
    let later = Clients::of(shop.address);
    later.go_on(100);
    let failed_later = later.end();
    // Past the capture of the harness: how long it took is what a reader wants to know.
    let _ = writeln!(
        io::stderr().lock(),
        "{what}: clients are led to others after {took:.1} s, {} requests failed",
        failed.len()
    );
    let after = shop.tasks(&others);
    if !kept.iter().all(|id| after.contains(id)) {
        let _ = writeln!(io::stderr().lock(), "{what}: the swarm has given up a node that lives: once more");
        return false;
    }
    assert_eq!(failed_later, NOTHING, "{what}");
    let at_a_time = SETS * usize::try_from(CLIENTS).expect("a few");
    assert!(failed.len() <= at_a_time, "{what}: more than were under way: {failed:?}");
    true
}

#[test]
fn when_a_node_loses_power_or_the_leader_is_cut_off_no_request_fails_beside_those_under_way() {
    let Some(cluster) = Cluster::up_to_lose_nodes(3) else { return };
    let home = Home::as_installed();
    let leader = leader(&cluster);
    let here = (1..=3).find(|node| *node != leader).expect("there are three");
    let other = 6 - leader - here;
    cluster.at(here, || {
        let shop = Shop::asking(&home, &cluster, here);
        let at = shop.address.to_string();
        let _watch = shop.watch();
        let deploy = ["--scheduler", "swarm", "--scale", "web=3", "--listen", &at, "--drain-limit", "3"];
        assert_eq!(shop.deploy(IMAGE, &deploy).status, Some(0));
        for (what, node, count) in [(POWER, other, 3), (CABLE, leader, 6)] {
            let is_proved = (0..TRIES).any(|_| {
                let is_proved = loses(&shop, what, node, count);
                cluster.heal(node);
                shop.has_whole_swarm();
                is_proved
            });
            assert!(is_proved, "{what}: the swarm gave up nodes that live in each of {TRIES} rounds");
        }
        shop.ends();
    });
}
