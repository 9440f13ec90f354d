//! No request is lost while containers behind a proxy are replaced: a real nginx, whose configuration the hook `proxy-build-config` writes
//! from the files IP and PORT, and clients that open a new connection for each request.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::verbs::{ENGINE, IMAGE, Place, has_engine};
use super::{is_long, times, took};
use crate::home::eventually;

const DEPLOY: &[&str] = &["ps-lifecycle", "deploy", "APP", "--image", IMAGE, "--scale", "web=2"];
/// What each process is: it answers with the name of its slot.
const SERVER: &str =
    "mkdir -p /tmp/www && echo $DYNO >/tmp/www/index.html && exec httpd -f -p $PORT -h /tmp/www";
/// How long a container that was replaced lives on, in seconds.
const WAIT: u64 = 1;
/// How many requests a second, and in a plain run.
const RATE: u32 = 500;
const PLAIN_RATE: u32 = 100;
const CLIENTS: u32 = 10;

/// Writes the addresses of an app's listeners for nginx, and has it read them.
const HOOK: &str = r#"#!/bin/sh
set -e
cd "$DOKKU_ROOT/../nginx"
{
  echo "upstream app {"
  for file in "$DOKKU_ROOT/$1"/IP.web.*; do
    slot=${file##*/IP.}
    echo "server $(cat "$file"):$(cat "$DOKKU_ROOT/$1/PORT.$slot") max_fails=0;"
  done
  echo "}"
} >upstream.new
mv upstream.new upstream
[ ! -s pid ] || "$(cat program)" -p "$PWD" -c "$PWD/nginx.conf" -s reload 2>>errors
"#;

/// An nginx before one app.
struct Nginx {
    address: SocketAddr,
    process: Child,
}

impl Nginx {
    /// After the first deploy, whose hook has written the upstream.
    fn before(place: &Place<'_>, program: &Path) -> Self {
        let directory = place.home.path("nginx");
        let free =
            TcpListener::bind(("127.0.0.1", 0)).expect("a free port").local_addr().expect("its address");
        fs::create_dir_all(directory.join("logs")).expect("a directory");
        let text = format!(
            "daemon off; user root; pid pid; error_log logs/error.log; worker_processes 1;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n access_log off;\n\
             client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;\n\
             include upstream;\n\
             server {{ listen {free}; location / {{ proxy_pass http://app; proxy_next_upstream off; }} }}\n}}\n"
        );
        fs::write(directory.join("nginx.conf"), text).expect("a file");
        let mut nginx = Command::new(program);
        nginx.arg("-p").arg(&directory).arg("-c").arg(directory.join("nginx.conf"));
        nginx.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let nginx = Self { address: free, process: nginx.spawn().expect("nginx starts") };
        eventually("nginx leads to the app", || ask(nginx.address).map_err(|error| error.to_string()));
        eventually("nginx can be told to reload", || {
            let pid = fs::read_to_string(directory.join("pid")).unwrap_or_default();
            if pid.trim().is_empty() { Err("it has written no pid".to_owned()) } else { Ok(()) }
        });
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}

/// One request on a connection of its own.
fn ask(address: SocketAddr) -> io::Result<()> {
    let patience = Duration::from_secs(20);
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let is_whole = answer.starts_with("HTTP/1.1 200 ") && answer.contains("web.");
    if is_whole {
        Ok(())
    } else {
        Err(io::Error::other(answer.lines().next().unwrap_or("nothing").to_owned()))
    }
}

/// What came of the requests of all clients.
#[derive(Debug)]
struct Load {
    asked: usize,
    failed: Vec<String>,
    took: Duration,
}

fn rate() -> u32 {
    if is_long() { RATE } else { PLAIN_RATE }
}

/// Requests at an even rate for as long as something is done.
fn under_load(address: SocketAddr, doing: impl FnOnce()) -> Load {
    let (is_over, asked, failed) = (AtomicBool::new(false), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let began = Instant::now();
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (is_over, asked, failed) = (&is_over, &asked, &failed);
            scope.spawn(move || {
                let pause = Duration::from_secs(1) * CLIENTS / rate();
                let mut next = began + pause * client / CLIENTS;
                while !is_over.load(Ordering::Relaxed) {
                    thread::sleep(next.saturating_duration_since(Instant::now()));
                    // Behind by more than a second it goes on from here.
                    let now = Instant::now();
                    next = if now > next + Duration::from_secs(1) { now } else { next + pause };
                    asked.fetch_add(1, Ordering::Relaxed);
                    if let Err(error) = ask(address) {
                        let at = began.elapsed();
                        failed.lock().expect("nobody panics").push(format!("{at:.1?}: {error}"));
                    }
                }
            });
        }
        // Also where what is done fails.
        let _over = Over(&is_over);
        doing();
    });
    let failed = failed.into_inner().expect("nobody panics");
    Load { asked: asked.into_inner(), failed, took: began.elapsed() }
}

/// Tells clients that it is over when this is dropped.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Load {
    /// That every request was answered, and that there were enough of them to say so.
    fn lost_nothing(&self, what: &str) {
        let asked = self.asked as u128 * 1000 / self.took.as_millis().max(1);
        let (all, failed, second) = (self.asked, self.failed.len(), self.took.as_secs());
        took(&format!("{what}: {all} requests in {second} s, {asked} a second, {failed} failed"));
        assert!(
            self.failed.is_empty(),
            "{what}: {} of {}: {:?}",
            self.failed.len(),
            self.asked,
            &self.failed[..self.failed.len().min(5)]
        );
        assert!(asked > u128::from(rate() / 10), "{what}: only {asked} a second were asked");
    }
}

/// An app of two processes behind nginx.
fn behind_nginx(program: &Path) -> (Place<'static>, Nginx) {
    let place = Place::new(Path::new(ENGINE));
    place.home.hook("proxy/proxy-build-config", HOOK);
    place.home.write("nginx/program", program.to_str().expect("text"));
    place.home.write(&format!("lib/config/ps/{}/start-cmd", place.app), SERVER);
    place.home.write(&format!("lib/config/checks/{}/wait-to-retire", place.app), &WAIT.to_string());
    place.does(DEPLOY, "the first time");
    let nginx = Nginx::before(&place, program);
    (place, nginx)
}

fn leave(place: &Place<'_>) {
    place.does(&["ps-lifecycle", "destroy", "APP"], "at the end");
    fs::remove_dir_all(place.home.path("lib/config/checks")).expect("it was set");
}

#[test]
fn deploys_and_restarts_behind_a_proxy_lose_no_request() {
    let Some(program) = skipped::server("usr/sbin/nginx").filter(|_| has_engine()) else { return };
    let (place, nginx) = behind_nginx(&program);
    let times = times(1, 50);
    for verb in [DEPLOY, &["ps-lifecycle", "restart", "APP"]] {
        let load = under_load(nginx.address, || (0..times).for_each(|_| place.does(verb, "under load")));
        load.lost_nothing(&format!("{verb:?}, {times} times"));
    }
    // Fewer, and more again.
    let load = under_load(nginx.address, || {
        for scale in ["web=1", "web=3", "web=2"] {
            place.does(&["ps-scale", "APP", scale], "under load");
        }
    });
    load.lost_nothing("ps-scale");
    leave(&place);
}

#[test]
fn a_release_of_which_one_instance_fails_loses_no_request_and_no_container() {
    let Some(program) = skipped::server("usr/sbin/nginx").filter(|_| has_engine()) else { return };
    let (place, nginx) = behind_nginx(&program);
    let mut before = place.containers();
    before.sort();
    // It ends, or it lives and does not have the page that its check asks for.
    let ends = format!("if [ $DYNO = web.2 ]; then exit 1; fi; {SERVER}");
    let lacks = format!("mkdir -p /tmp/www; if [ $DYNO = web.1 ]; then touch /tmp/www/ready; fi; {SERVER}");
    let check = r#"{"type": "startup", "path": "/ready", "attempts": 2, "wait": 1}"#;
    place.home.write("src/app.json", &format!(r#"{{"healthchecks": {{"web": [{check}]}}}}"#));
    place.home.write("src/Procfile", "web: true\n");
    let source = place.home.path("src");
    let checked = ["ps-lifecycle", "deploy", "APP", "--dir", source.to_str().expect("text"), "--base", IMAGE];
    let times = times(2, 20);
    let load = under_load(nginx.address, || {
        for nth in 0..times {
            let (command, words, says) =
                [(&ends, DEPLOY, "web.2"), (&lacks, &checked, "did not answer GET /ready")][nth % 2];
            place.home.write(&format!("lib/config/ps/{}/start-cmd", place.app), command);
            let ran = crate::program::run(place.command(words, &place.host()));
            let is_refused = ran.status == Some(1) && ran.stderr.contains("web.2 of");
            assert!(is_refused && ran.stderr.contains(says), "{ran:?}");
        }
        thread::sleep(Duration::from_secs(3 * WAIT));
    });
    load.lost_nothing(&format!("{times} failing deploys"));
    let mut after = place.containers();
    after.sort();
    assert_eq!(after, before);
    leave(&place);
}

#[test]
fn a_proxy_that_does_not_lead_clients_over_loses_requests_and_these_clients_see_it() {
    let Some(program) = skipped::server("usr/sbin/nginx").filter(|_| has_engine()) else { return };
    let (place, nginx) = behind_nginx(&program);
    place.home.hook("proxy/proxy-build-config", "#!/bin/sh\nexit 0\n");
    place.home.write(&format!("lib/config/checks/{}/wait-to-retire", place.app), "0");
    let load = under_load(nginx.address, || {
        place.does(DEPLOY, "under load");
        thread::sleep(Duration::from_secs(1));
    });
    assert!(!load.failed.is_empty(), "{load:?}");
    leave(&place);
}

#[test]
fn a_proxy_whose_hook_fails_keeps_the_old_containers_until_the_next_verb() {
    if !has_engine() {
        return;
    }
    let place = Place::new(Path::new(ENGINE));
    place.home.hook(
        "proxy/proxy-build-config",
        "#!/bin/sh\necho \"$1 $FORMATION_LOCK\" >>\"$DOKKU_ROOT/../told\"\n",
    );
    place.home.write(&format!("lib/config/checks/{}/wait-to-retire", place.app), "0");
    place.does(DEPLOY, "the first time");
    let told = fs::read_to_string(place.home.path("told")).expect("the hook ran");
    assert!(
        told.starts_with(&format!("{0} {0} ", place.app)),
        "the app, and the lock that is held for it: {told}"
    );
    place.home.hook("proxy/proxy-build-config", "#!/bin/sh\nexit 7\n");
    let ran = crate::program::run(place.command(DEPLOY, &place.host()));
    assert!(ran.status == Some(0), "the new release runs and is recorded: {ran:?}");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(
        said.contains("clients were not sent to the new instances") && said.contains("proxy-build-config"),
        "{ran:?}"
    );
    assert_eq!(place.containers().len(), 4, "clients may still be led to the old ones");
    place.home.hook("proxy/proxy-build-config", "#!/bin/sh\nexit 0\n");
    place.does(&["ps-lifecycle", "converge", "APP"], "the hook is mended");
    assert_eq!(place.containers().len(), 2);
    leave(&place);
}
