//! `deploy --listen` on a swarm: an app is reached at one address of this machine, whatever becomes of its tasks, and also where it moves
//! between a swarm and the engine of this machine. Programs and clients are on the first node.

use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use serde_json::Value;
use swarm_cluster::{Cluster, IMAGE};

use crate::asking::{Clients, ask, found, is_closed, some_address};
use crate::containers::between::{Between, Failure, Fate};
use crate::home::{Home, SOON, eventually, listening};
use crate::program::{Ran, Running};
use crate::swarm::Place;

/// It answers with the id of its container. As the first process of one it lives on until its grace period is over.
const SERVER: &str =
    "mkdir -p /tmp/www && echo $HOSTNAME >/tmp/www/pid && exec httpd -f -p $PORT -h /tmp/www";
pub(crate) const NOTHING: Vec<String> = Vec::new();
const SECOND: &str = "formation-test/second:1";
const BAD: &str = "formation-test/bad:1";

/// The app `shop`, which is to be reached at an address.
pub(crate) struct Shop<'a> {
    home: &'a Home,
    place: Place<'a>,
    pub(crate) cluster: &'a Cluster,
    pub(crate) address: SocketAddr,
}

impl<'a> Shop<'a> {
    fn new(home: &'a Home, cluster: &'a Cluster) -> Self {
        Self::asking(home, cluster, 1)
    }

    pub(crate) fn asking(home: &'a Home, cluster: &'a Cluster, node: u8) -> Self {
        home.write("lib/config/ps/shop/start-cmd", SERVER);
        home.write("lib/config/ps/shop/stop-timeout-seconds", "2");
        Self { home, place: Place::asking(home, cluster, node), cluster, address: some_address() }
    }

    pub(crate) fn deploy(&self, image: &str, more: &[&str]) -> Ran {
        self.place.run(&[&["ps-lifecycle", "deploy", "shop", "--image", image][..], more].concat())
    }

    /// The first deploy, by this scheduler.
    fn begins(&self, scheduler: &str) {
        let at = self.address.to_string();
        let ran = self.deploy(IMAGE, &["--scheduler", scheduler, "--scale", "web=2", "--listen", &at]);
        assert!(ran.status == Some(0) && ran.stderr.contains(&format!("is reached at {at}\n")), "{ran:?}");
    }

    pub(crate) fn does(&self, words: &[&str]) -> String {
        self.place.does(words)
    }

    fn proxy(&self, words: &[&str]) -> String {
        self.does(&[&["ps-lifecycle", "proxy", "shop"], words].concat())
    }

    fn status(&self) -> Vec<Value> {
        self.place.run(&["ps-lifecycle", "status", "shop", "--json"]).rows()
    }

    /// Starts a watch, and waits until it is there.
    pub(crate) fn watch(&self) -> Running {
        let log = self.home.path("watch.log");
        let mut command = self.place.command(&["ps-lifecycle", "watch", "--all"]);
        let said = fs::File::create(&log).expect("a file");
        command.process_group(0).stdout(Stdio::null()).stderr(said);
        let watch = Running::begin(command);
        eventually("it watches", || {
            let said = fs::read_to_string(&log).unwrap_or_default();
            if said.contains("Watching the containers of all apps") { Ok(()) } else { Err(said) }
        });
        watch
    }

    fn first_line(&self) -> String {
        let status = self.does(&["ps-lifecycle", "status", "shop"]);
        status.lines().next().unwrap_or_default().to_owned()
    }

    /// The containers of the app's tasks that run on these nodes.
    pub(crate) fn tasks(&self, nodes: &[u8]) -> Vec<String> {
        let filter = "label=com.docker.swarm.service.name=shop_web";
        let on = |node: &u8| self.cluster.docker(*node, &["ps", "--no-trunc", "--quiet", "--filter", filter]);
        nodes.iter().flat_map(|node| on(node).lines().map(str::to_owned).collect::<Vec<_>>()).collect()
    }

    /// The containers of the app in docker-local, on the first node.
    fn containers(&self) -> Vec<String> {
        let filter = "label=com.dokku.container-type=deploy";
        let all = self.cluster.docker(1, &["ps", "--no-trunc", "--quiet", "--filter", filter]);
        all.lines().map(str::to_owned).collect()
    }

    /// Every node can be given tasks again, and there is a leader.
    pub(crate) fn has_whole_swarm(&self) {
        eventually("all nodes are there again", || {
            let mut list = Command::new("docker");
            list.args(["node", "ls", "--format", "{{.Status}} {{.ManagerStatus}}"]);
            list.env("DOCKER_HOST", self.place.host());
            let listed = list.output().expect("docker runs");
            let nodes = String::from_utf8_lossy(&listed.stdout).into_owned();
            let is_whole = |nodes: &str| {
                nodes.lines().filter(|line| *line == "Ready Leader" || *line == "Ready Reachable").count()
                    == 3
            };
            if is_whole(&nodes) { Ok(()) } else { Err(nodes) }
        });
    }

    /// That clients of the address are answered by one of these.
    fn is_answered_by(&self, containers: &[String]) {
        let by = ask(self.address, "/pid").expect("it is there");
        assert!(containers.iter().any(|id| id.starts_with(&by)), "{by} is not of {containers:?}");
    }

    /// Where clients are led.
    pub(crate) fn led(&self) -> String {
        fs::read_to_string(self.service().join("led.json")).unwrap_or_default()
    }

    fn service(&self) -> std::path::PathBuf {
        self.home.path("lib/data/scheduler-native/shop")
    }

    /// Nothing of it is left.
    pub(crate) fn ends(&self) {
        self.does(&["ps-lifecycle", "destroy", "shop"]);
        is_closed(self.address);
        assert!(!self.service().exists());
        assert_eq!(self.cluster.docker(1, &["service", "ls", "--quiet"]), "");
        fs::remove_dir_all(self.home.path("lib/config/scheduler-swarm")).expect("the id of the world");
    }
}

fn none_failed(ran: &Ran) {
    assert!(ran.status == Some(0) && ran.stderr.contains(", none failed\n"), "{ran:?}");
    let receipt = ran.stderr.lines().find(|line| line.contains("connections: ")).unwrap_or_default();
    // Past the capture of the harness: how many there were is what a reader wants to know.
    let _ = writeln!(io::stderr().lock(), "in {:.1} s {}", ran.took.as_secs_f64(), receipt.trim());
}

#[test]
fn an_app_on_a_swarm_is_reached_at_one_address_while_releases_and_counts_change() {
    let Some(cluster) = Cluster::up(3) else { return };
    cluster.image(SECOND, &format!("FROM {IMAGE}\nLABEL second=1\n"));
    let all = [1, 2, 3];
    let home = Home::as_installed();
    cluster.at(1, || {
        let shop = Shop::new(&home, &cluster);
        shop.begins("swarm");
        assert_eq!(shop.first_line(), format!("shop is reached at {}", shop.address));
        assert!(shop.status().iter().all(|row| row["address"].is_string()), "{:?}", shop.status());
        let clients = Clients::of(shop.address);
        clients.go_on(50);
        let before = shop.tasks(&all);
        none_failed(&shop.deploy(SECOND, &[]));
        clients.go_on(50);
        assert!(shop.tasks(&all).iter().all(|id| !before.contains(id)), "all are new");
        for count in ["web=4", "web=1"] {
            shop.does(&["ps-scale", "shop", count]);
            clients.go_on(50);
        }
        shop.does(&["ps-lifecycle", "restart", "shop"]);
        clients.go_on(50);
        assert_eq!(clients.end(), NOTHING);
        shop.is_answered_by(&shop.tasks(&all));

        let other = some_address();
        shop.proxy(&["--listen", &other.to_string()]);
        ask(other, "/pid").expect("it is there");
        is_closed(shop.address);
        shop.proxy(&["--listen", "none"]);
        is_closed(other);
        assert!(shop.status().iter().all(|row| row["address"].is_null()), "{:?}", shop.status());
        shop.proxy(&["--listen", &shop.address.to_string()]);
        shop.is_answered_by(&shop.tasks(&all));

        shop.does(&["ps-lifecycle", "stop", "shop"]);
        assert_eq!(shop.first_line(), format!("shop has the address {}, but no instance runs", shop.address));
        is_closed(shop.address);
        shop.does(&["ps-lifecycle", "start", "shop"]);
        shop.is_answered_by(&shop.tasks(&all));
        // As after a boot of this machine alone: nobody listens, and what was known of the tasks is of no use.
        home.power_cut();
        shop.does(&["ps-lifecycle", "restore", "--all"]);
        shop.is_answered_by(&shop.tasks(&all));
        shop.ends();
    });
}

#[test]
fn a_watch_has_clients_led_to_what_takes_the_place_of_a_task_that_died_or_whose_node_was_drained_or_lost() {
    let Some(cluster) = Cluster::up_to_lose_nodes(3) else { return };
    let home = Home::as_installed();
    cluster.at(1, || {
        let shop = Shop::new(&home, &cluster);
        let _watch = shop.watch();
        shop.begins("swarm");
        let led_to = |what: &str, nodes: &[u8]| {
            let begin = Instant::now();
            eventually(what, || {
                let tasks = shop.tasks(nodes);
                let (rows, led) = (shop.status(), shop.led());
                let running = rows.iter().filter(|row| row["state"] == "running");
                let addresses = running.filter_map(|row| row["address"].as_str());
                let is_so = tasks.len() == 2
                    && addresses.clone().count() == 2
                    && addresses.clone().all(|address| led.contains(address))
                    && led.matches("\"id\"").count() == 2;
                if is_so { Ok(()) } else { Err(format!("{tasks:?} {led} {rows:?}")) }
            });
            // Past the capture of the harness: how long it took is what a reader wants to know.
            let _ = writeln!(io::stderr().lock(), "{what}: after {:.1} s", begin.elapsed().as_secs_f64());
            shop.is_answered_by(&shop.tasks(nodes));
        };
        led_to("clients are led to both tasks", &[1, 2, 3]);
        let node = (1..=3).find(|node| !shop.tasks(&[*node]).is_empty()).expect("a task runs");
        let dies = shop.tasks(&[node]).remove(0);
        cluster.docker(node, &["kill", &dies]);
        led_to("clients are led to what replaces a task that died", &[1, 2, 3]);
        // The swarm tells a task to end before anybody can know of it, so what comes to it in the moment until then may fail.
        let goes_on = || {
            let clients = Clients::of(shop.address);
            clients.go_on(50);
            assert_eq!(clients.end(), NOTHING);
        };
        cluster.drain(2);
        led_to("clients are led away from a node that is drained", &[1, 3]);
        goes_on();
        cluster.admit(2);
        cluster.lose(3);
        led_to("clients are led away from a node that was lost", &[1, 2]);
        goes_on();
        cluster.heal(3);
        led_to("clients stay where they are when the node is back", &[1, 2]);
        shop.ends();
    });
}

#[test]
fn no_request_fails_while_an_app_moves_between_this_machine_and_a_swarm_and_a_move_that_fails_changes_nothing()
 {
    let Some(cluster) = Cluster::up(1) else { return };
    cluster.image(BAD, &format!("FROM {IMAGE}\nLABEL bad=1\n"));
    let home = Home::as_installed();
    cluster.at(1, || {
        let shop = Shop::new(&home, &cluster);
        shop.begins("docker-local");
        let supervisors = home.supervisors();
        let clients = Clients::of(shop.address);
        clients.go_on(50);
        let before = shop.containers();

        home.write("lib/config/ps/shop/start-cmd", "echo no database; exit 3");
        let failed = shop.deploy(BAD, &["--scheduler", "swarm"]);
        failed.is_refused(1, &["of shop ended with exit status 3"]);
        home.write("lib/config/ps/shop/start-cmd", SERVER);
        clients.go_on(50);
        assert_eq!(shop.containers(), before, "what ran runs on");
        assert_eq!(cluster.docker(1, &["service", "ls", "--quiet"]), "");

        for _ in 0..2 {
            none_failed(&shop.deploy(IMAGE, &["--scheduler", "swarm"]));
            clients.go_on(50);
            assert_eq!((shop.containers(), shop.tasks(&[1]).len()), (NOTHING, 2));
            shop.is_answered_by(&shop.tasks(&[1]));
            none_failed(&shop.deploy(IMAGE, &["--scheduler", "docker-local"]));
            clients.go_on(50);
            assert_eq!((shop.containers().len(), shop.tasks(&[1])), (2, NOTHING));
            shop.is_answered_by(&shop.containers());
        }
        assert_eq!(home.supervisors(), supervisors, "the very same sockets");
        assert_eq!(clients.end(), NOTHING);
        shop.ends();
    });
}

#[test]
fn no_request_fails_while_an_app_moves_from_processes_of_this_machine_to_a_swarm_and_back() {
    let Some(cluster) = Cluster::up(1) else { return };
    let _listening = listening();
    let home = Home::as_installed();
    cluster.at(1, || {
        let shop = Shop::new(&home, &cluster);
        let start_cmd = home.path("lib/config/ps/shop/start-cmd");
        let source = home.source("source", "web: exec faultapp --listen\n");
        let natively = ["ps-lifecycle", "deploy", "shop", "--scheduler", "native", "--dir", &source];
        fs::remove_file(&start_cmd).expect("it was set");
        let at = shop.address.to_string();
        shop.does(&[&natively[..], &["--scale", "web=2", "--listen", &at]].concat());
        let supervisors = home.supervisors();
        let clients = Clients::of(shop.address);
        clients.go_on(50);
        fs::write(&start_cmd, SERVER).expect("written");
        none_failed(&shop.deploy(IMAGE, &["--scheduler", "swarm"]));
        clients.go_on(50);
        assert_eq!((found(&home, "faultapp").len(), shop.tasks(&[1]).len()), (0, 2));
        shop.is_answered_by(&shop.tasks(&[1]));
        fs::remove_file(&start_cmd).expect("it was set");
        none_failed(&shop.place.run(&natively));
        clients.go_on(50);
        assert_eq!((found(&home, "faultapp").len(), shop.tasks(&[1])), (2, NOTHING));
        assert_eq!(home.supervisors(), supervisors, "the very same sockets");
        assert_eq!(clients.end(), NOTHING);
        shop.ends();
    });
}

#[test]
fn an_image_that_other_nodes_cannot_have_keeps_an_app_where_it_is() {
    let Some(cluster) = Cluster::up(2) else { return };
    let home = Home::as_installed();
    cluster.at(1, || {
        let shop = Shop::new(&home, &cluster);
        shop.begins("docker-local");
        let before = ask(shop.address, "/pid").expect("it is there");
        let refused = shop.deploy(IMAGE, &["--scheduler", "swarm"]);
        refused.is_refused(1, &["no registry has the image of shop", "node2", "node.hostname==node1"]);
        assert!(ask(shop.address, "/pid").is_ok_and(|pid| pid.len() == before.len()));
        assert_eq!(cluster.docker(1, &["service", "ls", "--quiet"]), "");
        shop.does(&["ps-set", "shop", "web.constraints", "node.hostname==node1"]);
        assert_eq!(shop.deploy(IMAGE, &["--scheduler", "swarm"]).status, Some(0));
        shop.is_answered_by(&shop.tasks(&[1]));
        shop.ends();
    });
}

#[test]
fn a_move_to_a_swarm_that_is_killed_before_clients_are_led_there_is_brought_to_its_end_by_the_next_verb() {
    let Some(cluster) = Cluster::up(1) else { return };
    let home = Home::as_installed();
    cluster.at(1, || {
        let shop = Shop::new(&home, &cluster);
        shop.begins("docker-local");
        let clients = Clients::of(shop.address);
        clients.go_on(50);
        let before = shop.containers();
        let committed = home.path("lib/data/scheduler-swarm/shop/committed.json");
        let (tell, told) = mpsc::channel();
        let rule = move |_: &str| {
            if !committed.exists() {
                return Fate::Passes;
            }
            let _ = tell.send(());
            Fate::Fails(Failure::Hangs)
        };
        let between = Between::new(home.path("cut.sock"), &cluster.socket(1), Box::new(rule));
        let mut command =
            shop.place.command(&["ps-lifecycle", "deploy", "shop", "--image", IMAGE, "--scheduler", "swarm"]);
        command.env("DOCKER_HOST", between.host()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut verb = command.spawn().expect("it starts");
        told.recv_timeout(SOON).expect("it has committed");
        verb.kill().expect("it is ours");
        verb.wait().expect("it has ended");
        clients.go_on(50);
        assert_eq!(shop.containers(), before, "what ran before runs on");
        shop.does(&["ps-lifecycle", "converge", "shop"]);
        clients.go_on(50);
        assert_eq!((shop.containers(), shop.tasks(&[1]).len()), (NOTHING, 2));
        shop.is_answered_by(&shop.tasks(&[1]));
        assert_eq!(clients.end(), NOTHING);
        shop.ends();
    });
}
