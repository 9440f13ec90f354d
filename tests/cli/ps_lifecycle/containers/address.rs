//! `deploy --listen` in docker-local: an app is reached at one address, whatever happens to its containers behind it, and also where it
//! moves from one scheduler to another.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

use super::between::{Between, Failure, Fate};
use super::verbs::{ENGINE, IMAGE, has_engine};
use crate::asking::{Clients, ask, found, is_closed, kill, some_address};
use crate::engine::{containers, name};
use crate::home::{Home, SOON, eventually, listening};
use crate::registry::docker;

/// It answers with the id of its container.
const SERVER: &str =
    "mkdir -p /tmp/www && echo $HOSTNAME >/tmp/www/pid && exec httpd -f -p $PORT -h /tmp/www";
const NOTHING: Vec<String> = Vec::new();

/// An app that is reached at an address.
struct Reached {
    home: Home,
    app: String,
    address: SocketAddr,
}

impl Reached {
    /// With two containers.
    fn new(stem: &str) -> Self {
        let reached = Self { home: Home::as_installed(), app: name(stem), address: some_address() };
        reached.serves(Some(SERVER));
        let at = reached.address.to_string();
        let ran = reached.home.run(&reached.deploy(&["--scale", "web=2", "--listen", &at]));
        assert!(ran.stderr.contains(&format!("is reached at {at}\n")), "{ran:?}");
        reached
    }

    /// What its containers run; `None`: what their image or a Procfile says.
    fn serves(&self, command: Option<&str>) {
        let file = format!("lib/config/ps/{}/start-cmd", self.app);
        match command {
            Some(command) => drop(self.home.write(&file, command)),
            None => fs::remove_file(self.home.path(&file)).expect("it was set"),
        }
    }

    fn deploy<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        [&["ps-lifecycle", "deploy", &self.app, "--image", IMAGE][..], more].concat()
    }

    fn does(&self, verb: &str) {
        self.home.does(&["ps-lifecycle", verb, &self.app]);
    }

    /// The ids of its containers, in order.
    fn ids(&self) -> Vec<String> {
        let mut ids = containers(&self.app, "{{.ID}}");
        ids.sort();
        ids
    }

    /// Runs a verb that is killed at a call by which what it has recorded gets its name: the last kind of call before clients are led.
    fn is_killed_after_renaming(&self, words: &[&str], nth: usize) {
        let (tell, told) = mpsc::channel();
        let mut renamed = 0;
        let rule = move |kind: &str| {
            renamed += usize::from(kind.contains("/rename"));
            if renamed < nth {
                return Fate::Passes;
            }
            let _ = tell.send(());
            Fate::Fails(Failure::Hangs)
        };
        let between = Between::new(self.home.path("cut.sock"), Path::new(ENGINE), Box::new(rule));
        let mut command = self.home.command(words);
        command.env("DOCKER_HOST", between.host()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut verb = command.spawn().expect("it starts");
        told.recv_timeout(SOON).expect("it has recorded the new containers");
        verb.kill().expect("it is ours");
        verb.wait().expect("it has ended");
    }

    fn service(&self) -> std::path::PathBuf {
        self.home.path("lib/data/scheduler-native").join(&self.app)
    }
}

#[test]
fn no_request_fails_while_containers_counts_and_supervisors_change_behind_the_address() {
    if !has_engine() {
        return;
    }
    let shop = Reached::new("address");
    let clients = Clients::of(shop.address);
    clients.go_on(20);
    let before = shop.ids();
    let ran = shop.home.run(&shop.deploy(&[]));
    assert!(ran.stderr.contains("connections: ") && ran.stderr.contains(", none failed\n"), "{ran:?}");
    clients.go_on(20);
    assert!(shop.ids().iter().all(|id| !before.contains(id)), "all are new");
    shop.does("restart");
    for count in ["web=3", "web=1"] {
        shop.home.does(&["ps-scale", &shop.app, count]);
        clients.go_on(20);
    }
    let one = shop.ids();
    for _ in 0..3 {
        kill(|| shop.home.supervisors());
        clients.go_on(20);
    }
    kill(|| shop.home.supervisors());
    shop.does("restart");
    clients.go_on(20);
    assert!(shop.ids() != one && shop.ids().len() == 1);
    shop.home.does(&["ps-scale", &shop.app, "web=2"]);
    shop.home.does(&["ps-lifecycle", "stop", &shop.app, "web.1"]);
    clients.go_on(20);
    assert_eq!(clients.end(), NOTHING);
}

#[test]
fn a_restart_in_which_clients_lose_connections_is_status_1_where_none_may_fail() {
    if !has_engine() {
        return;
    }
    let shop = Reached::new("required");
    let _open = TcpStream::connect(shop.address).expect("it is there");
    let ran = thread::scope(|scope| {
        // The old containers only end once the connection has ended, which it does with ps-balance.
        let kills = scope.spawn(|| {
            eventually("new containers are beside the old ones", || {
                let ids = shop.ids();
                if ids.len() > 2 { Ok(()) } else { Err(format!("{ids:?}")) }
            });
            kill(|| found(&shop.home, "ps-balance "));
        });
        let ran = shop.home.run(&["ps-lifecycle", "restart", &shop.app, "--require", "zero-failed"]);
        kills.join().expect("it kills");
        ran
    });
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("was changed, but connections failed: "), "{ran:?}");
    shop.home.does(&["ps-lifecycle", "restart", &shop.app, "--require", "zero-failed"]);
    assert!(ask(shop.address, "/pid").is_ok(), "the new containers are there all the same");
    shop.does("destroy");
}

#[test]
fn where_ps_balance_is_killed_no_connect_is_refused_and_a_verb_brings_a_dead_supervisor_back() {
    if !has_engine() {
        return;
    }
    let shop = Reached::new("killed");
    let clients = Clients::of(shop.address);
    for _ in 0..5 {
        clients.go_on(5);
        kill(|| found(&shop.home, "ps-balance "));
    }
    clients.go_on(5);
    let failed = clients.end();
    assert!(failed.iter().all(|why| !why.contains("refused")), "{failed:?}");

    let clients = Clients::of(shop.address);
    clients.go_on(5);
    shop.home.without_root();
    kill(|| shop.home.supervisors());
    clients.go_on(5);
    // Nothing is to be done for its containers.
    shop.does("converge");
    assert_eq!(shop.home.supervisors().len(), 1);
    clients.go_on(5);
    assert_eq!(clients.end(), NOTHING);
}

#[test]
fn a_release_that_is_never_ready_leaves_the_old_one_at_the_address_and_a_first_one_nothing() {
    if !has_engine() {
        return;
    }
    let shop = Reached::new("unready");
    let (before, pid) = (shop.ids(), ask(shop.address, "/pid").expect("it is there"));
    assert!(before.iter().any(|id| id.starts_with(&pid)), "{pid} {before:?}");
    let clients = Clients::of(shop.address);
    shop.serves(Some("exit 3"));
    let other = some_address().to_string();
    let ran = shop.home.run(&shop.deploy(&["--listen", &other]));
    assert_eq!(ran.status, Some(1), "{ran:?}");
    clients.go_on(20);
    assert_eq!(clients.end(), NOTHING);
    // An engine may go on listing for a while what it has removed.
    assert!(before.iter().all(|id| shop.ids().contains(id)), "{before:?} {:?}", shop.ids());
    is_closed(other.parse().expect("an address"));

    let first = name("first");
    let deploy = ["ps-lifecycle", "deploy", &first, "--image", IMAGE, "--listen", &other];
    shop.home.write(&format!("lib/config/ps/{first}/start-cmd"), "exit 3");
    assert_eq!(shop.home.run(&deploy).status, Some(1));
    assert!(!shop.home.path("lib/data/scheduler-native").join(&first).exists());
    // What was set before there was an app is not the app's to remove.
    let _ = fs::remove_dir_all(shop.home.path("lib/config/ps").join(&first));
}

#[test]
fn an_address_that_somebody_else_has_is_refused_with_its_holder_and_none_gives_it_up() {
    if !has_engine() {
        return;
    }
    let shop = Reached::new("taken");
    let before = shop.ids();
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = held.local_addr().expect("bound").to_string();
    let ran = shop.home.run(&shop.deploy(&["--listen", &taken]));
    assert_eq!(ran.status, Some(1), "{ran:?}");
    let holder = format!("(pid {})", std::process::id());
    assert!(ran.stderr.contains(&taken) && ran.stderr.contains(&holder), "{ran:?}");
    assert_eq!(shop.ids(), before, "nothing was touched");

    let other = some_address();
    shop.home.does(&shop.deploy(&["--listen", &other.to_string()]));
    ask(other, "/pid").expect("it is there");
    is_closed(shop.address);
    shop.home.does(&shop.deploy(&["--listen", "none"]));
    is_closed(other);
    assert!(!shop.service().exists());
}

#[test]
fn an_app_that_is_stopped_refuses_clients_and_one_that_is_destroyed_leaves_nothing() {
    if !has_engine() {
        return;
    }
    let shop = Reached::new("stopped");
    ask(shop.address, "/pid").expect("it is there");
    assert!(shop.home.status(&shop.app).iter().all(|row| row["scheduler"] == "docker-local"));
    let report = shop.home.does(&["ps-report", &shop.app, "--json"]);
    assert!(!report.contains("native"), "{report}");
    let (app, address) = (&shop.app, shop.address);
    let first = || shop.home.does(&["ps-lifecycle", "status", app]).lines().next().map(str::to_owned);
    assert_eq!(first(), Some(format!("{app} is reached at {address}")));
    shop.does("stop");
    assert_eq!(first(), Some(format!("{app} has the address {address}, but no instance runs")));
    is_closed(shop.address);
    assert!(found(&shop.home, "ps-balance ").is_empty() && shop.home.supervisors().is_empty());
    assert_eq!(shop.home.run(&["ps-lifecycle", "restore", "--all"]).status, Some(0));
    is_closed(shop.address);
    shop.does("start");
    ask(shop.address, "/pid").expect("it is there again");
    // As after a boot: nobody listens, and what was known of the containers is of no use.
    shop.home.power_cut();
    shop.home.does(&["ps-lifecycle", "restore", "--all"]);
    ask(shop.address, "/pid").expect("it is there again");
    shop.does("destroy");
    is_closed(shop.address);
    assert!(!shop.service().exists());
    shop.home.is_silent();
}

#[test]
fn clients_are_led_to_the_address_that_a_container_has_by_now() {
    if !has_engine() {
        return;
    }
    let shop = Reached::new("moved");
    shop.home.does(&["ps-scale", &shop.app, "web=1"]);
    let id = shop.ids().remove(0);
    let address = |of: &str| docker(&["inspect", "--format", "{{.NetworkSettings.IPAddress}}", of]);
    let before = address(&id);
    docker(&["stop", "--time", "0", &id]);
    // Others take addresses until somebody has the one that it had: one of these, or a container of another test.
    let mut others: Vec<String> = Vec::new();
    let after = loop {
        let other = format!("{}-other-{}", shop.app, others.len());
        docker(&["run", "-d", "--rm", "--name", &other, IMAGE, "sleep", "1000"]);
        let is_taken = address(&other) == before;
        others.push(other);
        if !is_taken && !others.len().is_multiple_of(8) {
            continue;
        }
        docker(&["start", &id]);
        if address(&id) != before || others.len() >= 64 {
            break address(&id);
        }
        docker(&["stop", "--time", "0", &id]);
    };
    shop.does("converge");
    let answered = ask(shop.address, "/pid");
    for other in &others {
        docker(&["rm", "-f", other]);
    }
    assert!(after != before, "{after}");
    assert!(answered.as_ref().is_ok_and(|pid| id.starts_with(pid.as_str())), "{answered:?}");
}

#[test]
fn a_deploy_that_is_killed_between_record_and_clients_is_put_right_by_the_next_verb() {
    if !has_engine() {
        return;
    }
    let shop = Reached::new("cut");
    let clients = Clients::of(shop.address);
    clients.go_on(5);
    let before = shop.ids();
    shop.is_killed_after_renaming(&shop.deploy(&[]), 4);
    assert!(before.iter().all(|id| shop.ids().contains(id)), "what was replaced still runs");
    clients.go_on(20);
    shop.does("converge");
    clients.go_on(20);
    assert!(shop.ids().len() == 2 && !shop.ids().iter().any(|id| before.contains(id)));
    assert_eq!(clients.end(), NOTHING);
}

#[test]
fn no_request_fails_while_an_app_moves_into_containers_and_back() {
    if !has_engine() {
        return;
    }
    let _listening = listening();
    let (home, app, address) = (Home::as_installed(), name("moves"), some_address());
    let source = home.source("source", "web: exec faultapp --listen\nworker: exec sleep 1000\n");
    let natively = ["ps-lifecycle", "deploy", &app, "--scheduler", "native", "--dir", &source];
    let counts = ["--scale", "web=2", "worker=1", "--listen", &address.to_string()];
    home.does(&[&natively[..], &counts].concat());
    let shop = Reached { home, app: app.clone(), address };
    let supervisor = shop.home.supervisors();
    let clients = Clients::of(address);
    clients.go_on(20);
    shop.serves(Some(SERVER));
    let ran = shop.home.run(&shop.deploy(&["--scheduler", "docker-local"]));
    assert!(ran.status == Some(0) && ran.stderr.contains("none failed"), "{ran:?}");
    clients.go_on(20);
    assert_eq!((shop.home.supervisors(), found(&shop.home, "faultapp")), (supervisor.clone(), vec![]));
    assert!(ask(address, "/pid").is_ok_and(|pid| shop.ids().iter().any(|id| id.starts_with(&pid))));
    assert_eq!(shop.ids().len(), 3);
    shop.does("restart");
    clients.go_on(20);
    shop.serves(None);
    let ran = shop.home.run(&natively);
    assert!(ran.status == Some(0) && ran.stderr.contains("none failed"), "{ran:?}");
    clients.go_on(20);
    assert_eq!((shop.home.supervisors(), shop.ids()), (supervisor, NOTHING));
    assert_eq!(clients.end(), NOTHING);
    // Of a directory nothing can be seen that tells one answer from another.
    let states = shop.home.states(&app);
    assert!(states.len() == 3 && states.values().all(|state| state == "running"), "{states:?}");
}

#[test]
fn a_move_that_is_killed_in_the_middle_is_brought_to_its_end_by_the_next_verb() {
    if !has_engine() {
        return;
    }
    let _listening = listening();
    let (home, app, address) = (Home::as_installed(), name("halfway"), some_address());
    let source = home.source("source", "web: exec faultapp --listen\n");
    let natively = ["ps-lifecycle", "deploy", &app, "--scheduler", "native", "--dir", &source];
    home.does(&[&natively[..], &["--listen", &address.to_string()]].concat());
    let shop = Reached { home, app: app.clone(), address };
    let clients = Clients::of(address);
    clients.go_on(20);
    shop.serves(Some(SERVER));
    shop.is_killed_after_renaming(&shop.deploy(&["--scheduler", "docker-local"]), 1);
    clients.go_on(20);
    assert_eq!(found(&shop.home, "faultapp").len(), 1, "what ran before runs on");
    shop.does("converge");
    clients.go_on(20);
    assert_eq!((found(&shop.home, "faultapp"), shop.ids().len()), (vec![], 1));
    assert_eq!(clients.end(), NOTHING);
}

#[test]
fn proxy_moves_the_address_takes_it_away_and_gives_it_back_while_the_containers_stay() {
    if !has_engine() {
        return;
    }
    let (shop, second) = (Reached::new("proxied"), some_address());
    let (first, other) = (shop.address.to_string(), second.to_string());
    let proxy = |words: &[&str]| shop.home.does(&[&["ps-lifecycle", "proxy", &shop.app], words].concat());
    let ids = shop.ids();
    let clients = Clients::of(shop.address);
    clients.go_on(5);
    proxy(&["--listen", &first, &other, "--http"]);
    ask(second, "/pid").expect("it is there");
    clients.go_on(5);
    assert_eq!(clients.end(), NOTHING);
    let rows = proxy(&["--json"]);
    assert!(rows.contains(&format!(r#""in_force":"{first} {other}""#)), "{rows}");
    proxy(&["--listen", "none"]);
    is_closed(shop.address);
    is_closed(second);
    proxy(&["--listen", &other]);
    ask(second, "/pid").expect("it is there again");
    assert_eq!(shop.ids(), ids);
}
